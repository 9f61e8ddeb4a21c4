// What the kubelet does to a driver, with the forms of path, authority and request that it uses.
// Source: Kubernetes 1.37, pkg/volume/csi/csi_client.go and csi_mounter.go.

import { createHash } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { create, type DescMessage, type DescMethodUnary, type MessageShape } from '@bufbuild/protobuf'
import { Client, credentials, type ServiceError, status } from '@grpc/grpc-js'
import {
  Node,
  type NodePublishVolumeRequest,
  NodePublishVolumeRequestSchema,
  NodeUnpublishVolumeRequestSchema,
  VolumeCapability_AccessMode_Mode,
  VolumeCapabilitySchema
} from '../../shared/proto/gen/csi_pb.js'
import { methodDefinition } from '../../shared/rpc/index.ts'

export const POD = {
  uid: '5f3c9f2e-8b1d-4c7a-9e61-0d2b8a6f4c11',
  name: 'orders-7d4b9c-x2x7k',
  namespace: 'shop',
  serviceAccount: 'orders'
} as const

export const TOKEN = 'eyJhbGciOiJSUzI1NiJ9.c2VjcmV0LXRva2Vu.c2lnbmF0dXJl'
const TOKENS = 'csi.storage.k8s.io/serviceAccount.tokens'

export const tokens = (token: unknown = TOKEN): string =>
  JSON.stringify({ 'countersign-ca': { token, expirationTimestamp: '2026-11-22T20:00:00Z' } })

/** How a call ended. */
export interface Outcome {
  readonly code: keyof typeof status
  readonly details: string
}

export interface PublishOptions {
  readonly pod?: Partial<Record<keyof typeof POD, string>>
  readonly tokensIn?: 'context' | 'secrets'
  readonly token?: string
  /** Written by the author of the pod. */
  readonly attributes?: Readonly<Record<string, string>>
  /** Changes what the kubelet would send. */
  readonly change?: (request: NodePublishVolumeRequest) => void
}

/** The handle of an inline volume: `makeVolumeHandle`. */
export const volumeIdOf = (podUid: string, volume = 'countersign'): string =>
  `csi-${createHash('sha256').update(`${podUid}${volume}`).digest('hex')}`

/** A kubelet with a root folder of its own. */
export class TestKubelet {
  readonly root: string
  readonly #clients: Client[] = []

  constructor(root: string) {
    this.root = root
    mkdirSync(this.pods, { recursive: true, mode: 0o750 })
  }

  get pods(): string {
    return join(this.root, 'pods')
  }

  targetPath(podUid: string = POD.uid, volume = 'countersign'): string {
    return join(this.pods, podUid, 'volumes/kubernetes.io~csi', volume, 'mount')
  }

  /** The request of a publish. The kubelet's attributes are laid over those of the author: `mergeMap`. */
  publishRequest(options: PublishOptions = {}): NodePublishVolumeRequest {
    const pod = { ...POD, ...options.pod }
    const text = { [TOKENS]: tokens(options.token) }
    const inContext = options.tokensIn !== 'secrets'
    const request = create(NodePublishVolumeRequestSchema, {
      volumeId: volumeIdOf(pod.uid),
      targetPath: this.targetPath(pod.uid),
      readonly: true,
      volumeCapability: create(VolumeCapabilitySchema, {
        accessMode: { mode: VolumeCapability_AccessMode_Mode.SINGLE_NODE_WRITER },
        accessType: { case: 'mount', value: {} }
      }),
      volumeContext: {
        ...options.attributes,
        'csi.storage.k8s.io/pod.name': pod.name,
        'csi.storage.k8s.io/pod.namespace': pod.namespace,
        'csi.storage.k8s.io/pod.uid': pod.uid,
        'csi.storage.k8s.io/serviceAccount.name': pod.serviceAccount,
        'csi.storage.k8s.io/ephemeral': 'true',
        ...(inContext ? text : {})
      },
      secrets: inContext ? {} : text
    })
    options.change?.(request)
    return request
  }

  /** SetUpAt: the folder above the target is made, then the driver is called on a connection of its own. */
  async publish(socket: string, options: PublishOptions = {}): Promise<Outcome> {
    const request = this.publishRequest(options)
    mkdirSync(dirname(this.targetPath({ ...POD, ...options.pod }.uid)), { recursive: true, mode: 0o750 })
    return this.#outcome(this.call(socket, Node.method.nodePublishVolume, request))
  }

  unpublish(socket: string, targetPath = this.targetPath(), volumeId = volumeIdOf(POD.uid)): Promise<Outcome> {
    const request = create(NodeUnpublishVolumeRequestSchema, { volumeId, targetPath })
    return this.#outcome(this.call(socket, Node.method.nodeUnpublishVolume, request))
  }

  /** @param authority `localhost` for CSI; for registration grpc-go makes it of the path */
  call<Input extends DescMessage, Output extends DescMessage>(
    socket: string,
    method: DescMethodUnary<Input, Output>,
    request: MessageShape<Input>,
    authority = 'localhost'
  ): Promise<MessageShape<Output>> {
    const client = new Client(`unix:${socket}`, credentials.createInsecure(), {
      'grpc.default_authority': authority,
      'grpc.use_local_subchannel_pool': 1
    })
    this.#clients.push(client)
    const { path, requestSerialize, responseDeserialize } = methodDefinition(method)
    return new Promise((resolve, reject) => {
      client.makeUnaryRequest<MessageShape<Input>, MessageShape<Output>>(
        path,
        requestSerialize as (message: MessageShape<Input>) => Buffer,
        responseDeserialize as (bytes: Buffer) => MessageShape<Output>,
        request,
        { deadline: Date.now() + 30_000 },
        (error, response) => {
          client.close()
          if (error !== null) reject(error)
          else resolve(response as MessageShape<Output>)
        }
      )
    })
  }

  close(): void {
    for (const client of this.#clients) client.close()
  }

  async #outcome(call: Promise<unknown>): Promise<Outcome> {
    try {
      await call
      return { code: 'OK', details: '' }
    } catch (thrown) {
      const { code, details } = thrown as ServiceError
      return { code: status[code] as Outcome['code'], details }
    }
  }
}
