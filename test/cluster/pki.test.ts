// The certificates of a cluster, made by openssl and read by Node.js.

import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { certificateRequests, createPki } from './pki.ts'
import { layoutOf, nodeNames } from './settings.ts'

describe('the certificates of a cluster', () => {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-pki-'))
  const layout = layoutOf(folder)
  const nodes = nodeNames(2)
  const read = (name: string): X509Certificate => new X509Certificate(readFileSync(layout.pki(`${name}.crt`)))

  before(() => createPki(layout, nodes))
  after(() => rmSync(folder, { recursive: true }))

  it('are all signed by its authority, and none of them can sign', () => {
    const authority = read('ca')
    assert.ok(authority.ca)
    const requests = certificateRequests(nodes)
    assert.equal(requests.length, 8)
    for (const { file } of requests) {
      const certificate = read(file)
      assert.ok(certificate.verify(authority.publicKey), file)
      assert.equal(certificate.ca, false, file)
    }
  })

  it('say who is who, as Kubernetes reads it', () => {
    assert.equal(read('admin').subject, 'O=system:masters\nCN=admin')
    assert.equal(read('node1').subject, 'O=system:nodes\nCN=system:node:node1')
    assert.equal(read('scheduler').subject, 'CN=system:kube-scheduler')
  })

  it('are valid for the names and addresses by which their owners are called', () => {
    for (const name of ['kubernetes.default.svc', 'localhost']) assert.ok(read('apiserver').checkHost(name), name)
    for (const address of ['10.96.0.1', '192.168.99.1']) assert.ok(read('apiserver').checkIP(address), address)
    assert.ok(read('node1').checkIP('192.168.99.11'))
    assert.equal(read('node1').checkIP('192.168.99.10'), undefined)
  })

  it('fit the keys in the kubeconfigs, which nobody else can read', () => {
    const config = JSON.parse(readFileSync(layout.kubeconfig, 'utf8'))
    assert.ok(config.users[0].user['client-key-data'].length > 100)
    for (const file of [layout.kubeconfig, layout.pki('node0.kubeconfig'), layout.pki('tokens.key')])
      assert.equal(statSync(file).mode & 0o077, 0, file)
  })
})
