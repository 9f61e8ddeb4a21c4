import { create } from '@bufbuild/protobuf'
import { Client, credentials } from '@grpc/grpc-js'
import { DELIVERY_SOURCE } from '../../shared/bootstrap/index.ts'
import { CountersignError } from '../../shared/errors/index.ts'
import type { Exclusions } from '../../shared/exclusions/index.ts'
import { ApplyRequestSchema, Capture } from '../../shared/proto/gen/countersign/node/v1/capture_pb.js'
import { CHANNEL_OPTIONS, unaryCall } from '../../shared/rpc/index.ts'
import type { CapturePort } from './capture-gate.ts'

// Programming a namespace takes some 10 ms; a node that starts fifty pods at once may need longer.
const TIMEOUT_MS = 10_000

/** Asks the container `node` of this pod, over its socket in the shared folder of state. */
export class NodeCapture implements CapturePort {
  readonly #client: Client

  /** @param socket - absolute path, at most 107 bytes */
  constructor(socket: string) {
    // The container may be starting: it is looked for again soon, however long it was gone.
    const options = {
      ...CHANNEL_OPTIONS,
      'grpc.initial_reconnect_backoff_ms': 100,
      'grpc.max_reconnect_backoff_ms': 500
    }
    this.#client = new Client(`unix:${socket}`, credentials.createInsecure(), options)
  }

  async apply(podUid: string, exclusions: Exclusions): Promise<void> {
    const request = create(ApplyRequestSchema, {
      podUid,
      excludedInboundPorts: [...exclusions.inboundPorts],
      excludedOutboundPorts: [...exclusions.outboundPorts],
      excludedOutboundCidrs: exclusions.outboundCidrs.map(({ text }) => text),
      excludedInterfaces: [...exclusions.interfaces],
      excludedOutboundUsers: [...exclusions.outboundUsers]
    })
    try {
      const response = await unaryCall(this.#client, Capture.method.apply, request, { timeoutMs: TIMEOUT_MS })
      checkDeliveryAddresses(response.deliveryAddresses)
    } catch (thrown) {
      throw new CountersignError('ERR_CAPTURE_FAILED', `the rules of pod ${podUid} are not in place`, { cause: thrown })
    }
  }

  close(): void {
    this.#client.close()
  }
}

// Between two versions the rules may let through other addresses than the proxy is about to deliver from; a delivery
// would then be led back to the proxy, without an end.
function checkDeliveryAddresses(allowed: readonly string[]): void {
  const missing = Object.values(DELIVERY_SOURCE).filter(address => !allowed.includes(address))
  if (missing.length === 0) return
  const list = allowed.length === 0 ? 'none' : allowed.join(', ')
  throw new CountersignError(
    'ERR_CAPTURE_FAILED',
    `delivery_addresses: expected ${missing.join(' and ')}, got ${list}: agent and node are of different versions`
  )
}
