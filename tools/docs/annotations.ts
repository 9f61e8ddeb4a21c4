import { ANNOTATIONS } from '../../webhook/injection/index.ts'

/** One label or annotation: where it stands, what it says, what may stand in it, what holds without it. */
type Row = readonly [name: string, on: string, meaning: string, allowed: string, standard: string]

const LABELS: readonly Row[] = [
  [
    'countersign.dev/inject',
    'Namespace, Pod',
    'whether pods get a proxy; that of the pod comes before that of its namespace',
    'enabled or disabled',
    'no proxy'
  ]
]

const OF_SERVICES: readonly Row[] = [
  [
    'countersign.dev/service-accounts',
    'Service',
    'which service accounts may serve it, whatever pods are behind it; callers refuse every other',
    '`<account>` or `<namespace>/<account>`, separated by commas; empty for nobody',
    'the accounts of the pods that its selector chooses'
  ]
]

/** docs/annotations.md, made from the table that injection reads by. */
export function annotationsPage(): string {
  const ofPods = [...ANNOTATIONS].map(([name, { meaning, allowed, standard }]): Row => {
    return [name, 'Pod', meaning, allowed, standard]
  })
  return `# Labels and annotations

What can be said of a pod, a namespace or a Service to Countersign. A value that is not allowed is refused, and the message says what is. Made by \`npm run docs\`.

## Labels

${table(LABELS)}

## Annotations

${table([...ofPods, ...OF_SERVICES])}

## Probes

The kubelet has no certificate, so a port that accepts mutual TLS alone would refuse its probes. Every startup, readiness and liveness probe of kind \`httpGet\` is therefore led to port 15020, where the proxy asks the application with the path, the headers and the Host that the probe names, and passes on what it answers.

- The application is asked at the address of the pod: a \`host\` in a probe is only what it reads as Host.
- A redirect counts as success and is not followed.
- Port 15020 accepts plaintext from anybody, for exactly the probes that the pod names.
- Probes of kind \`exec\` need no connection and stay as they are. Those of kind \`grpc\` need a port that accepts plaintext. A \`tcpSocket\` probe finds the proxy, and so says nothing about the application.
`
}

function table(rows: readonly Row[]): string {
  const lines = rows.map(([name, ...cells]) => `| \`${name}\` | ${cells.join(' | ')} |`)
  return ['| name | on | what it says | allowed | without it |', '| --- | --- | --- | --- | --- |', ...lines].join('\n')
}
