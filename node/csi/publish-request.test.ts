import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import type { CountersignError } from '../../shared/errors/index.ts'
import type { NodePublishVolumeRequest } from '../../shared/proto/gen/csi_pb.js'
import { volumeRecordSchema } from '../../shared/volume/index.ts'
import { POD, type PublishOptions, TestKubelet, TOKEN, tokens, volumeIdOf } from './kubelet.test-support.ts'
import { type RequestedVolume, readPublishRequest } from './publish-request.ts'

const TOKENS = 'csi.storage.k8s.io/serviceAccount.tokens'

describe('the request to publish a volume', () => {
  let base = ''
  let kubelet: TestKubelet
  before(() => {
    base = mkdtempSync(join(tmpdir(), 'countersign-publish-'))
    kubelet = new TestKubelet(base)
  })
  after(() => {
    kubelet.close()
    rmSync(base, { recursive: true })
  })

  const read = (options: PublishOptions = {}, tokensInSecrets = false): RequestedVolume =>
    readPublishRequest(kubelet.publishRequest(options), { podsFolder: kubelet.pods, tokensInSecrets })

  it('says which pod, where, with which token, and what the author wrote', () => {
    const { token, ...volume } = read({ attributes: { 'countersign.dev/x': 'y', other: 'z' } })
    assert.deepEqual(volume, {
      volumeId: volumeIdOf(POD.uid),
      targetPath: kubelet.targetPath(),
      pod: { name: POD.name, namespace: POD.namespace, uid: POD.uid, serviceAccount: POD.serviceAccount },
      tokenExpiresAt: '2026-11-22T20:00:00Z',
      attributes: { 'countersign.dev/x': 'y', other: 'z' }
    })
    assert.equal(token.reveal(), TOKEN)
    assert.ok(volumeRecordSchema.safeParse({ version: 1, ...volume, token: token.reveal() }).success)
  })

  // pkg/volume/csi/csi_mounter.go, getTargetPath: the name of the volume in the pod's specification is part of the path.
  for (const name of ['aaa', 'countersign-2', 'xcountersign', 'countersign.x', 'zz-countersign', 'c', 'default-token'])
    it(`is refused for a volume named ${name}: only the volume countersign is served`, () => {
      const change = (request: NodePublishVolumeRequest): void => {
        request.targetPath = kubelet.targetPath(POD.uid, name)
        request.volumeId = volumeIdOf(POD.uid, name)
      }
      assert.throws(
        () => read({ change }),
        (thrown: CountersignError) =>
          thrown.code === 'ERR_VOLUME_REFUSED' &&
          thrown.message ===
            `volume cannot be published: target_path: expected the volume countersign, got ${name}: ` +
              'driver csi.countersign.dev serves no other; remove the volume from the pod'
      )
    })

  it('has its token in the secrets from Kubernetes 1.35 on', () => {
    assert.equal(read({ tokensIn: 'secrets' }).token.reveal(), TOKEN)
    assert.equal(read({ tokensIn: 'secrets' }, true).token.reveal(), TOKEN)
  })

  it('counts a token in the secrets before one in the volume context', () => {
    const forged = { [TOKENS]: tokens('forged') }
    assert.equal(read({ tokensIn: 'secrets', attributes: forged }).token.reveal(), TOKEN)
    assert.equal(read({ tokensIn: 'secrets', attributes: forged }, true).token.reveal(), TOKEN)
  })

  it('has no token when one is in the volume context and tokens come in the secrets', () => {
    for (const options of [{}, { tokensIn: 'secrets', attributes: { [TOKENS]: tokens('forged') } }] as const)
      assert.throws(
        () =>
          read(
            {
              ...options,
              change: request => {
                request.secrets = {}
              }
            },
            true
          ),
        {
          code: 'ERR_VOLUME_REFUSED',
          message: /secrets csi\.storage\.k8s\.io\/serviceAccount\.tokens: required: .*serviceAccountTokenInSecrets/
        }
      )
  })

  it('is believed in what the kubelet lays over the attributes of the author, and keeps nothing under its prefix', () => {
    const forged = {
      'csi.storage.k8s.io/pod.name': 'admin-0',
      'csi.storage.k8s.io/pod.namespace': 'kube-system',
      'csi.storage.k8s.io/pod.uid': 'forged',
      'csi.storage.k8s.io/serviceAccount.name': 'admin',
      'csi.storage.k8s.io/ephemeral': 'false',
      [TOKENS]: tokens('forged'),
      'csi.storage.k8s.io/anything': 'forged'
    }
    const volume = read({ attributes: { ...forged, mine: 'kept' } })
    assert.deepEqual(volume.pod, {
      name: POD.name,
      namespace: POD.namespace,
      uid: POD.uid,
      serviceAccount: POD.serviceAccount
    })
    assert.equal(volume.token.reveal(), TOKEN)
    assert.deepEqual(volume.attributes, { mine: 'kept' })
  })

  it('may carry a file system type and groups: nothing is mounted, so they mean nothing', () => {
    read({
      change: request => {
        if (request.volumeCapability?.accessType.case === 'mount')
          request.volumeCapability.accessType.value.fsType = 'xfs'
      }
    })
  })

  const set =
    (fields: object) =>
    (request: object): void => {
      Object.assign(request, fields)
    }
  const without =
    (name: string) =>
    (request: { volumeContext: Record<string, string> }): void => {
      delete request.volumeContext[`csi.storage.k8s.io/${name}`]
    }
  const context =
    (name: string, value: string) =>
    (request: { volumeContext: Record<string, string> }): void => {
      request.volumeContext[`csi.storage.k8s.io/${name}`] = value
    }
  const access =
    (accessType: object) =>
    (request: NodePublishVolumeRequest): void => {
      Object.assign(request.volumeCapability ?? {}, { accessType })
    }
  const ofOtherPod = (request: NodePublishVolumeRequest): void => {
    request.targetPath = kubelet.targetPath('0ther')
  }
  const refused: Record<string, [change: NonNullable<PublishOptions['change']>, message: RegExp]> = {
    'no volume ID': [set({ volumeId: '' }), /volume_id: required/],
    'a volume ID that is a path': [set({ volumeId: '../x' }), /volume_id: expected 1 to 128/],
    'a volume ID that is too long': [set({ volumeId: 'a'.repeat(129) }), /volume_id: expected/],
    'no target path': [set({ targetPath: '' }), /target_path: required/],
    'a target path elsewhere': [set({ targetPath: '/etc' }), /target_path: expected .*\/pods\/<pod UID>\/volumes/],
    'a target path of another pod': [ofOtherPod, /target_path: expected a folder of pod 5f3c9f2e/],
    'no capability': [set({ volumeCapability: undefined }), /volume_capability: required/],
    'a block device': [
      access({ case: 'block', value: {} }),
      /volume_capability: expected access type mount, got block/
    ],
    'no kind of access': [access({ case: undefined }), /expected access type mount, got none/],
    'a volume that can be written': [set({ readonly: false }), /readonly: expected true: .*csi\.readOnly: true/],
    'a persistent volume': [
      context('ephemeral', 'false'),
      /csi\.storage\.k8s\.io\/ephemeral: expected true: only inline/
    ],
    'nothing said of its kind': [without('ephemeral'), /ephemeral: expected true/],
    'no pod name': [without('pod.name'), /csi\.storage\.k8s\.io\/pod\.name: required: .*podInfoOnMount: true/],
    'no namespace': [without('pod.namespace'), /pod\.namespace: required/],
    'no UID': [without('pod.uid'), /pod\.uid: required/],
    'no service account': [without('serviceAccount.name'), /serviceAccount\.name: required/],
    'a pod name in capitals': [context('pod.name', 'Orders'), /pod\.name: expected a Kubernetes name/],
    'a namespace with a slash': [context('pod.namespace', 'a/b'), /pod\.namespace: expected a Kubernetes name/],
    'a UID that is a path': [context('pod.uid', '../x'), /pod\.uid: expected 1 to 128/],
    'an account with a blank': [
      context('serviceAccount.name', 'a b'),
      /serviceAccount\.name: expected a Kubernetes name/
    ],
    'no token': [without('serviceAccount.tokens'), /secrets or volume_context .*tokens: required: .*tokenRequests/],
    'a token for others': [
      context('serviceAccount.tokens', JSON.stringify({ other: { token: TOKEN } })),
      /for audience countersign-ca/
    ],
    'tokens that are no JSON': [context('serviceAccount.tokens', TOKEN), /tokens: expected a JSON object/],
    'more attributes than anybody needs': [
      request => {
        request.volumeContext['x'] = 'y'.repeat(20_000)
      },
      /volumeAttributes: expected at most 16384 characters/
    ]
  }
  for (const [title, [change, message]] of Object.entries(refused))
    it(`is refused with ${title}, and the token is not shown`, () => {
      assert.throws(
        () => read({ change }),
        (thrown: CountersignError) => {
          assert.equal(thrown.code, 'ERR_VOLUME_REFUSED')
          assert.match(thrown.message, message)
          assert.doesNotMatch(JSON.stringify([thrown.message, thrown.facts, String(thrown.cause)]), /c2VjcmV0|eyJ/)
          return true
        }
      )
    })

  it('is told everything that is wrong with it at once', () => {
    const change = (request: ReturnType<TestKubelet['publishRequest']>): void => {
      request.readonly = false
      request.volumeContext = {}
    }
    assert.throws(
      () => read({ change }),
      (thrown: CountersignError) => (thrown.facts['problems'] as string[]).length === 7
    )
  })
})
