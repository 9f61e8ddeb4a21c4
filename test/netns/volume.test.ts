// Volumes where only root can go: with the rights of the container in a cluster, and with something mounted on them.

import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { POD, TestKubelet } from '../../node/csi/kubelet.test-support.ts'
import { run } from './pod.ts'
import { Program } from './program.ts'

describe('volumes of a program with few rights', () => {
  let program: Program
  let kubelet: TestKubelet
  let socket = ''
  let target = ''
  const mounted: string[] = []
  beforeEach(async () => {
    program = new Program()
    await program.start()
    kubelet = new TestKubelet(join(program.folder, 'kubelet'))
    socket = join(program.folder, 'csi/csi.sock')
    target = kubelet.targetPath()
  })
  afterEach(async () => {
    kubelet.close()
    await program.stop()
    for (const path of mounted.splice(0)) run('umount', path)
    await program.close()
  })
  const whileStopped = async (change: () => void): Promise<void> => {
    await program.stop()
    change()
    await program.start()
  }
  const mount = (path: string): Promise<void> =>
    whileStopped(() => {
      run('mount', '-t', 'tmpfs', 'tmpfs', path)
      mounted.push(path)
      writeFileSync(join(path, 'precious'), 'x')
    })

  it('are published and unpublished in folders that only root can enter', async () => {
    assert.equal(statSync(kubelet.pods).mode & 0o777, 0o750)
    assert.equal((await kubelet.publish(socket)).code, 'OK')
    writeFileSync(join(target, 'envoy.json'), '{}', { mode: 0o600 })
    assert.equal((await kubelet.unpublish(socket)).code, 'OK')
    assert.equal(existsSync(target), false)
  })

  it('are not emptied when something is mounted on them; that is for the kubelet to end', async () => {
    await kubelet.publish(socket)
    await mount(target)
    const outcome = await kubelet.unpublish(socket)
    assert.equal(outcome.code, 'UNAVAILABLE')
    assert.match(outcome.details, /something is mounted on mount/)
    assert.ok(existsSync(join(target, 'precious')))
    assert.deepEqual(readdirSync(join(program.folder, 'state/volumes')), [])
    await whileStopped(() => void run('umount', mounted.pop() ?? ''))
    assert.equal((await kubelet.unpublish(socket)).code, 'OK')
    assert.deepEqual(readdirSync(join(kubelet.pods, POD.uid, 'volumes/kubernetes.io~csi/countersign')), [])
  })

  it('keep what is mounted in them', async () => {
    await kubelet.publish(socket)
    mkdirSync(join(target, 'a/b'), { recursive: true })
    await mount(join(target, 'a/b'))
    assert.equal((await kubelet.unpublish(socket)).code, 'UNAVAILABLE')
    assert.ok(existsSync(join(target, 'a/b/precious')))
  })
})
