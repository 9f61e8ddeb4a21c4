import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseTargetPath } from './target-path.ts'

const PODS = '/var/lib/kubelet/pods'

describe('a target path', () => {
  for (const [path, expected] of [
    [`${PODS}/5f3c9f2e-8b1d/volumes/kubernetes.io~csi/countersign/mount`, ['5f3c9f2e-8b1d', 'countersign']],
    [`${PODS}/u/volumes/kubernetes.io~csi/v/mount`, ['u', 'v']],
    [`${PODS}/u/volumes/kubernetes.io~csi/a-b.c/mount`, ['u', 'a-b.c']]
  ] as const)
    it(`is taken apart: ${path}`, () => {
      const parsed = parseTargetPath(PODS, path)
      assert.deepEqual([parsed?.podUid, parsed?.volumeName], expected)
    })

  for (const [title, path] of [
    ['nothing', ''],
    ['the root of all', '/'],
    ['the folder of pods', PODS],
    ['the folder of a pod', `${PODS}/u`],
    ['the folder of a volume', `${PODS}/u/volumes/kubernetes.io~csi/v`],
    ['something in a volume', `${PODS}/u/volumes/kubernetes.io~csi/v/mount/agent.sock`],
    ['a slash at the end', `${PODS}/u/volumes/kubernetes.io~csi/v/mount/`],
    ['two slashes', `${PODS}/u//volumes/kubernetes.io~csi/v/mount`],
    ['a step up in place of the pod', `${PODS}/../volumes/kubernetes.io~csi/v/mount`],
    ['a step up in place of the volume', `${PODS}/u/volumes/kubernetes.io~csi/../mount`],
    ['a step up at the end', `${PODS}/u/volumes/kubernetes.io~csi/v/mount/..`],
    ['a point in place of the volume', `${PODS}/u/volumes/kubernetes.io~csi/./mount`],
    ['a volume of another kind', `${PODS}/u/volumes/kubernetes.io~secret/v/mount`],
    ['a block device', '/var/lib/kubelet/plugins/kubernetes.io/csi/volumeDevices/publish/v/u'],
    ['a folder that only begins alike', `${PODS}-other/u/volumes/kubernetes.io~csi/v/mount`],
    ['another kubelet', '/var/snap/kubelet/pods/u/volumes/kubernetes.io~csi/v/mount'],
    ['a relative path', 'pods/u/volumes/kubernetes.io~csi/v/mount'],
    ['a line break', `${PODS}/u/volumes/kubernetes.io~csi/v/mount\n`],
    ['a zero byte', `${PODS}/u/volumes/kubernetes.io~csi/v\0/mount`],
    ['a folder with a blank', `${PODS}/u/volumes/kubernetes.io~csi/v w/mount`],
    ['the system', '/etc']
  ] as const)
    it(`is not ${title}`, () => {
      assert.equal(parseTargetPath(PODS, path), undefined)
    })
})
