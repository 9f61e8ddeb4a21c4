import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Call, CallResult } from '../applications/protocols/calls.ts'
import type { KindName } from '../applications/protocols/kind.ts'
import type { Cluster } from '../index.ts'
import { type Outcome, outcomeOf } from './matrix-cells.ts'
import { type Heard, heardBy, heardIn, ProtocolsClient, statisticsAt } from './protocols.ts'

const APPLICATION = join(import.meta.dirname, '../applications/protocols')
/** How the application is called that runs on the machine of the control plane, which is no node of the cluster. */
export const OUTSIDE = 'outside'

/** What is spoken to each: what a proxy sees through, and what it does not. */
const SPOKEN = ['http', 'tcp'] as const satisfies readonly KindName[]
type Spoken = (typeof SPOKEN)[number]

/** A place to call, and who may answer there: pods, or `OUTSIDE`. */
export interface Destination {
  readonly address: string
  /** Where they are not those of the application. */
  readonly ports?: Readonly<Record<Spoken, number>>
  readonly servers: readonly string[]
}

interface Client {
  makeCalls(calls: readonly Call[]): Promise<readonly CallResult[]>
}

/** Calls from pods, and from a machine that is not of the cluster, judged by what the servers' side says. */
export class DestinationCalls {
  readonly #cluster: Cluster
  readonly #namespace: string
  readonly #proxies: ReadonlyMap<string, string>
  #round = 0

  /** @param proxies the address of each pod that has a proxy, by name; who is not there is judged as having none */
  constructor(cluster: Cluster, namespace: string, proxies: ReadonlyMap<string, string>) {
    this.#cluster = cluster
    this.#namespace = namespace
    this.#proxies = proxies
  }

  /** Starts the application on the machine outside. It ends with the cluster. */
  static startOutside({ control }: Cluster): Promise<void> {
    return control.start(OUTSIDE, [process.execPath, join(APPLICATION, 'main.ts')])
  }

  /** What becomes of a call of each kind to each place, by `<kind> to <name of the place>`. */
  async outcomes(client: string, places: Readonly<Record<string, Destination>>): Promise<Record<string, string>> {
    this.#round++
    const calls = Object.entries(places).flatMap(([name, place]) =>
      SPOKEN.map(kind => ({ name: `${kind} to ${name}`, kind, place, id: `${this.#round} ${kind} to ${name}` }))
    )
    const results = await this.#clientOf(client).makeCalls(
      calls.map(({ id, kind, place: { address, ports, servers } }) => ({
        id,
        kind,
        address,
        ...(ports === undefined ? {} : { port: ports[kind] }),
        statistics: this.#proxiesOf(servers).map(statisticsAt)
      }))
    )
    const heard = new Map<string, readonly Heard[]>()
    for (const server of new Set(calls.flatMap(({ place }) => place.servers)))
      heard.set(server, await this.heardBy(server))
    // Pods of a StatefulSet have one account, without their number.
    const account = client.replace(/-\d+$/, '')
    const identity = new RegExp(`URI=spiffe://cluster\\.local/ns/${this.#namespace}/sa/${account}$`)
    return Object.fromEntries(
      calls.map(({ name, kind, place: { servers }, id }, index) => {
        const own = servers.flatMap(server => heard.get(server) ?? []).filter(({ echo }) => echo === id)
        const server = this.#proxiesOf(servers).length > 0 ? 'injected' : 'plain'
        return [name, outcomeOf({ server, kind }, results[index] as CallResult, own, identity)]
      })
    )
  }

  /** What the application of a pod, or the one outside, has heard so far. */
  async heardBy(server: string): Promise<readonly Heard[]> {
    if (server !== OUTSIDE) return heardBy(this.#cluster, this.#namespace, server)
    return heardIn(await readFile(join(this.#cluster.control.folder, `log/${OUTSIDE}.log`), 'utf8'))
  }

  #proxiesOf(servers: readonly string[]): readonly string[] {
    return servers.flatMap(server => this.#proxies.get(server) ?? [])
  }

  #clientOf(client: string): Client {
    if (client !== OUTSIDE) return new ProtocolsClient(this.#cluster, this.#namespace, client)
    return { makeCalls: calls => this.#callFromOutside(calls) }
  }

  async #callFromOutside(calls: readonly Call[]): Promise<readonly CallResult[]> {
    const script = `import { makeCalls } from ${JSON.stringify(join(APPLICATION, 'calls.ts'))}
      console.log(JSON.stringify(await makeCalls(${JSON.stringify(calls)})))`
    const command = [process.execPath, '--input-type=module', '-e', script]
    const { code, stdout, stderr } = await this.#cluster.control.run(command)
    if (code !== 0) throw new Error(`the calls from outside were not made: ${stderr}`)
    return JSON.parse(stdout) as readonly CallResult[]
  }
}

/** The same outcome for each place, as `outcomes` says it. */
export const all = (
  outcome: Outcome | 'past the proxy',
  places: Readonly<Record<string, Destination>>
): Record<string, string> =>
  Object.fromEntries(Object.keys(places).flatMap(name => SPOKEN.map(kind => [`${kind} to ${name}`, outcome])))
