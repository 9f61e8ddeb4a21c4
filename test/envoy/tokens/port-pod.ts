import type { KeyObject } from 'node:crypto'
import { create } from '@bufbuild/protobuf'
import { newRoot, newState, newSvid, newWorkload, spiffeId } from '../../../agent/proxy/fixtures.test-support.ts'
import type { PodState } from '../../../agent/proxy/index.ts'
import type { Probe } from '../../../shared/probes/index.ts'
import {
  EndUserChecksSchema,
  type MutualTlsMode,
  Protocol
} from '../../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import type { Certificate } from '../../../shared/x509/index.ts'
import { freePort } from '../../free-port.ts'
import { type Conversation, open, openTls } from '../calls.ts'
import { type ExplicitPod, startExplicitPod } from '../explicit-pod.ts'
import { type RecordingApplication, startRecordingApplication } from './recording-application.ts'
import type { Checks } from './token-pod.ts'

/** What each port of the pod declares. */
const PROTOCOLS = {
  undeclared: Protocol.UNSPECIFIED,
  http: Protocol.HTTP,
  tcp: Protocol.TCP,
  tls: Protocol.TLS
} as const
export type DeclaredAs = keyof typeof PROTOCOLS
export const EVERY_DECLARATION = Object.keys(PROTOCOLS) as DeclaredAs[]

/** How a client's bytes come. `none`: no certificate, and no TLS. */
export type Transport =
  | 'clear'
  | { readonly alpn?: readonly string[]; readonly servername?: string; readonly certificate?: 'none' | 'member' }

/** A pod with a real proxy, strict until it is told otherwise, and, on each kind of port, an application that takes every byte for a request. */
export interface PortPod {
  readonly pod: ExplicitPod
  readonly address: string
  /** SPIFFE ID of the member of the mesh that `open` connects as. */
  readonly member: string
  port(declared: DeclaredAs): number
  /** What the application behind a port has. */
  application(declared: DeclaredAs): RecordingApplication
  /** Has it look at these tokens from now on, and accept what the mode says; undefined: at none. */
  apply(mode: MutualTlsMode, checks: Checks | undefined, keySets?: Readonly<Record<string, string>>): Promise<void>
  open(declared: DeclaredAs, transport?: Transport): Promise<Conversation>
  stop(): Promise<void>
}

/** `network`: the first three bytes of addresses that no other test uses. Stopped by its caller. */
export async function startPortPod(
  network: string,
  probesOf: (port: PortPod['port']) => readonly Probe[] = () => []
): Promise<PortPod> {
  const [address, applicationAddress] = [`${network}.1`, `${network}.101`]
  const ports = new Map<DeclaredAs, number>()
  for (const declared of EVERY_DECLARATION) ports.set(declared, await freePort(address, applicationAddress))
  const port = (declared: DeclaredAs): number => ports.get(declared) ?? 0

  const root = await newRoot()
  const member: { chain: readonly Certificate[]; privateKey: KeyObject } = await newSvid(root, MEMBER)
  const workload = {
    addresses: [address],
    ports: EVERY_DECLARATION.map(declared => ({
      number: port(declared),
      protocol: PROTOCOLS[declared],
      reason: declared
    }))
  }
  const podState: PodState = {
    workload: newWorkload(workload),
    svid: await newSvid(root, spiffeId('shop', 'orders')),
    interception: { kind: 'explicit', applicationAddress },
    probes: probesOf(port)
  }

  const applications = new Map<DeclaredAs, RecordingApplication>()
  let pod: ExplicitPod | undefined
  const stop = async (): Promise<void> => {
    await pod?.stop()
    for (const application of applications.values()) await application.stop()
  }
  try {
    for (const declared of EVERY_DECLARATION)
      applications.set(declared, await startRecordingApplication(applicationAddress, port(declared)))
    const started = await startExplicitPod(newState({ roots: [root] }), podState)
    pod = started
    return {
      pod: started,
      address,
      member: MEMBER.toString(),
      port,
      application: declared => applications.get(declared) ?? applicationMissing(declared),
      apply: (mode, checks, keySets = {}) =>
        started.update(newState({ roots: [root], keySets }), {
          ...podState,
          workload: newWorkload({
            ...workload,
            mode,
            ...(checks === undefined ? {} : { endUsers: create(EndUserChecksSchema, checks) })
          })
        }),
      open: (declared, transport = 'clear') => {
        if (transport === 'clear') return open(address, port(declared))
        const { certificate = 'member', ...rest } = transport
        return openTls({
          address,
          port: port(declared),
          ...rest,
          ...(certificate === 'member' ? { svid: member } : {})
        })
      },
      stop
    }
  } catch (thrown) {
    await stop()
    throw thrown
  }
}

const MEMBER = spiffeId('shop', 'storefront')

function applicationMissing(declared: DeclaredAs): never {
  throw new TypeError(`no application listens on the port that is declared ${declared}`)
}
