import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Protocol } from '../proto/gen/countersign/mesh/v1/mesh_pb.js'
import { declarationOf } from './declaration.ts'

const rows: readonly {
  title: string
  name?: string
  appProtocol?: string
  expected: keyof typeof Protocol | 'nothing'
}[] = [
  { title: 'a port without a name says nothing', expected: 'nothing' },
  { title: 'http', name: 'http', expected: 'HTTP' },
  { title: 'http with a suffix', name: 'http-admin', expected: 'HTTP' },
  { title: 'http with a digit is no http', name: 'http3', expected: 'nothing' },
  { title: 'a name that only starts like http says nothing', name: 'httpd', expected: 'nothing' },
  { title: 'http at the end says nothing', name: 'my-http', expected: 'nothing' },
  { title: 'http2', name: 'http2-web', expected: 'HTTP2' },
  { title: 'grpc is HTTP/2', name: 'grpc', expected: 'HTTP2' },
  { title: 'grpc with a suffix', name: 'grpc-orders', expected: 'HTTP2' },
  { title: 'grpc-web may be HTTP/1.1', name: 'grpc-web', expected: 'HTTP' },
  { title: 'grpc-web with a suffix', name: 'grpc-web-orders', expected: 'HTTP' },
  { title: 'https is TLS of the application', name: 'https', expected: 'TLS' },
  { title: 'tls', name: 'tls-web', expected: 'TLS' },
  { title: 'tcp', name: 'tcp-any', expected: 'TCP' },
  { title: 'databases are TCP', name: 'mysql', expected: 'TCP' },
  { title: 'redis', name: 'redis-cache', expected: 'TCP' },
  { title: 'mongo', name: 'mongo', expected: 'TCP' },
  { title: 'a name of JavaScript says nothing', name: 'constructor', expected: 'nothing' },
  { title: 'appProtocol alone', appProtocol: 'http', expected: 'HTTP' },
  { title: 'appProtocol wins over the name', name: 'http', appProtocol: 'tcp', expected: 'TCP' },
  {
    title: 'an appProtocol that is not known may be anything, whatever the name says',
    name: 'http',
    appProtocol: 'example.com/mine',
    expected: 'UNSPECIFIED'
  },
  { title: 'upper case does not matter in appProtocol', appProtocol: 'HTTP', expected: 'HTTP' },
  { title: 'h2c of Kubernetes', appProtocol: 'kubernetes.io/h2c', expected: 'HTTP2' },
  { title: 'h2c', appProtocol: 'h2c', expected: 'HTTP2' },
  { title: 'WebSocket is HTTP', appProtocol: 'kubernetes.io/ws', expected: 'HTTP' },
  { title: 'WebSocket over TLS is TLS of the application', appProtocol: 'kubernetes.io/wss', expected: 'TLS' },
  { title: 'grpc as appProtocol', appProtocol: 'grpc', expected: 'HTTP2' },
  { title: 'https as appProtocol', appProtocol: 'https', expected: 'TLS' },
  { title: 'ws as a name says nothing', name: 'ws', expected: 'nothing' }
]

for (const { title, name = '', appProtocol, expected } of rows)
  test(`protocol: ${title}`, () => {
    const declaration = declarationOf({ name, ...(appProtocol === undefined ? {} : { appProtocol }) })
    assert.equal(declaration === undefined ? 'nothing' : Protocol[declaration.protocol], expected)
    const field = appProtocol === undefined ? `port name "${name}"` : `appProtocol "${appProtocol}"`
    assert.equal(declaration?.field, expected === 'nothing' ? undefined : field)
  })
