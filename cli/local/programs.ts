import { join } from 'node:path'
import type { ProcessSpec } from './process.ts'

export type Program = 'authority' | 'webhook' | 'agent'

/** Where the files of a mesh on one machine lie. */
export interface Layout {
  readonly folder: string
  /** Manifests that the authority watches. */
  readonly manifests: string
  readonly bundleFile: string
  /** The agent's state. */
  readonly state: string
  readonly tokenKeys: string
  readonly agentToken: string
  readonly webhookCa: string
  readonly authorityState: string
  readonly pods: string
}

/** @param folder - short: proxies reach their sockets below it, and a socket's path may have 107 bytes */
export function layoutOf(folder: string): Layout {
  return {
    folder,
    manifests: join(folder, 'manifests'),
    bundleFile: join(folder, 'bundle', 'bundle.pem'),
    state: join(folder, 'state'),
    tokenKeys: join(folder, 'jwks', 'keys.json'),
    agentToken: join(folder, 'agent-token', 'token'),
    webhookCa: join(folder, 'webhook', 'ca.crt'),
    authorityState: join(folder, 'authority'),
    pods: join(folder, 'pods')
  }
}

export interface Addresses {
  readonly listen: string
  readonly health: string
}

/** `host:port` of each program, on the first addresses of a network `127.<network>.0/24`. */
export function addressesOf(program: Program, network: string): Addresses {
  const at = (host: number, port: number): string => `127.${network}.${host}:${port}`
  switch (program) {
    case 'authority':
      return { listen: at(1, 15012), health: at(1, 15014) }
    case 'webhook':
      return { listen: at(2, 9443), health: at(2, 8081) }
    case 'agent':
      return { listen: at(3, 15014), health: at(3, 15014) }
  }
}

export interface ProgramOptions {
  readonly network: string
  readonly node: string
  readonly certificateLifetime: string
  readonly logLevel: string
}

const checkout = join(import.meta.dirname, '../..')

/** The command line of a program, as somebody outside Kubernetes would write it. */
export function programSpec(program: Program, layout: Layout, options: ProgramOptions): ProcessSpec {
  const { listen, health } = addressesOf(program, options.network)
  const flags: Readonly<Record<Program, readonly string[]>> = {
    authority: [
      `--listen-address=${listen}`,
      `--folder=${layout.manifests}`,
      `--state=${layout.authorityState}`,
      `--token-keys=${layout.tokenKeys}`,
      `--bundle-file=${layout.bundleFile}`,
      `--certificate-lifetime=${options.certificateLifetime}`
    ],
    webhook: [`--listen-address=${listen}`, `--ca-bundle-file=${layout.webhookCa}`, '--shutdown-delay=0s'],
    agent: [
      `--node=${options.node}`,
      `--authority=${addressesOf('authority', options.network).listen}`,
      `--bundle=${layout.bundleFile}`,
      `--token=${layout.agentToken}`,
      `--state=${layout.state}`,
      '--interception=explicit'
    ]
  }
  const main = join(checkout, program, 'main.ts')
  const common = [`--health-address=${health}`, `--log-level=${options.logLevel}`]
  return {
    name: program,
    command: process.execPath,
    args: ['--disable-warning=ExperimentalWarning', main, ...common, ...flags[program]]
  }
}
