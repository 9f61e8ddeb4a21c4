import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { podUidOf } from './pod-cgroup.ts'

const UID = '5f3c9f2e-8b1d-4c7a-9e61-0d2b8a6f4c11'
const UNDERSCORED = UID.replaceAll('-', '_')
const OTHER = '00000000-0000-4000-8000-000000000002'
const ID = '3d0e5f6a7b8c9d0e1f2a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4c5d6e7f80'

const VERSION_1 = `12:pids:/kubepods/burstable/pod${UID}/${ID}
11:memory:/kubepods/burstable/pod${UID}/${ID}
1:name=systemd:/kubepods/burstable/pod${UID}/${ID}
0::/
`

describe('the pod of a process', () => {
  const found: Record<string, string> = {
    'version 1, cgroupfs': VERSION_1,
    'version 1, where some controllers are not the kubelet’s': `3:rdma:/\n2:misc:/\n1:cpu:/kubepods/pod${UID}/${ID}\n`,
    'version 2, cgroupfs, guaranteed': `0::/kubepods/pod${UID}/${ID}\n`,
    'version 2, cgroupfs, best effort': `0::/kubepods/besteffort/pod${UID}/${ID}\n`,
    'version 2, systemd, containerd': `0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${UNDERSCORED}.slice/cri-containerd-${ID}.scope\n`,
    'version 2, systemd, guaranteed': `0::/kubepods.slice/kubepods-pod${UNDERSCORED}.slice/cri-containerd-${ID}.scope\n`,
    'version 2, systemd, CRI-O': `0::/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod${UNDERSCORED}.slice/crio-${ID}.scope/container\n`,
    'version 1, systemd, CRI-O': `4:memory:/kubepods.slice/kubepods-pod${UNDERSCORED}.slice/crio-${ID}.scope\n`,
    'systemd names with a runtime that takes them for cgroupfs': `0::/system.slice/containerd.service/kubepods-burstable-pod${UNDERSCORED}.slice:cri-containerd:${ID}\n`,
    'a kubelet with a cgroup root of its own': `0::/node0/kubepods/burstable/pod${UID}/${ID}\n`,
    'a kubelet in a container': `0::/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/kubelet-kubepods-burstable-pod${UNDERSCORED}.slice/cri-containerd-${ID}.scope\n`,
    'seen from another pod’s cgroup namespace': `0::/../../../burstable/pod${UID}/${ID}\n`,
    'seen from a neighbour’s cgroup namespace, systemd': `0::/../../kubepods-besteffort-pod${UNDERSCORED}.slice/cri-containerd-${ID}.scope\n`,
    'a process directly in the pod’s cgroup': `0::/kubepods/pod${UID}\n`,
    'a cgroup that the pod made, named like another pod': `0::/kubepods/pod${UID}/${ID}/kubepods/pod${OTHER}/x\n`,
    'a cgroup that the pod made, with a systemd name': `0::/kubepods/pod${UID}/${ID}/kubepods-pod${OTHER.replaceAll('-', '_')}.slice\n`
  }
  for (const [title, text] of Object.entries(found))
    it(`is found: ${title}`, () => {
      assert.equal(podUidOf(text), UID)
    })

  it('is found by the hash that static pods have', () => {
    const hash = '0123456789abcdef0123456789abcdef'
    assert.equal(podUidOf(`0::/kubepods/burstable/pod${hash}/${ID}\n`), hash)
  })

  const none: Record<string, string> = {
    nothing: '',
    'the root': '0::/\n',
    'the kubelet itself': '0::/system.slice/kubelet.service\n',
    'the runtime': '0::/system.slice/containerd.service\n',
    'a login session': '0::/user.slice/user-1000.slice/session-2.scope\n',
    'the folder of all pods': '0::/kubepods/burstable\n',
    'another container of the reader’s own pod': `0::/../${ID}\n`,
    'a name that only ends like one': `0::/kubepods/mypod${UID}/x\n`,
    'a name that goes on after one': `0::/kubepods/pod${UID}x/${ID}\n`,
    'a UID without its prefix': `0::/kubepods/${UID}/${ID}\n`,
    'a UID that is too short': '0::/kubepods/pod5f3c9f2e-8b1d-4c7a-9e61/x\n',
    'a controller with such a name': `4:pod${UID}:/\n`,
    'no cgroup file at all': `pod${UID}\n`
  }
  for (const [title, text] of Object.entries(none))
    it(`is none: ${title}`, () => {
      assert.equal(podUidOf(text), undefined)
    })
})
