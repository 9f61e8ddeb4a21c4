import { existsSync, readFileSync } from 'node:fs'
import { ClusterError, NoClusterError } from './cluster-error.ts'
import { ClusterNode } from './cluster-node.ts'
import type { ControlProgram } from './control-plane.ts'
import { Kubectl } from './kubectl.ts'
import { currentLock } from './lock.ts'
import { Machine } from './machine.ts'
import { refuseMachine } from './requirements.ts'
import type { Outcome, RunOptions } from './run.ts'
import { CONTROL, type KubernetesVersion, type Layout, layoutOf, nodeNames } from './settings.ts'

/** What a cluster is, as noted in its folder. */
export interface ClusterDescription {
  readonly kubernetes: KubernetesVersion
  readonly nodes: number
  /** It was brought up to the end. */
  readonly ready: boolean
}

/** A cluster on this machine, brought up by this process or by another one. */
export class Cluster {
  readonly description: ClusterDescription
  readonly layout: Layout
  readonly control: Machine
  readonly nodes: readonly ClusterNode[]
  readonly #kubectl: Kubectl
  readonly #helm: Kubectl

  constructor(layout: Layout, description: ClusterDescription) {
    this.layout = layout
    this.description = description
    this.control = new Machine(CONTROL, layout.machine(CONTROL.name))
    this.nodes = nodeNames(description.nodes).map(name => new ClusterNode(name, layout))
    this.#kubectl = Kubectl.kubectl(layout)
    this.#helm = Kubectl.helm(layout)
  }

  /** @throws TypeError when there is no such node */
  node(name: string): ClusterNode {
    const found = this.nodes.find(node => node.name === name)
    if (found === undefined) throw new TypeError(`there is no node ${name}`)
    return found
  }

  /**
   * What kubectl writes to standard output.
   *
   * @throws ClusterError with what it said, when it fails
   */
  kubectl(args: readonly string[], options?: RunOptions): Promise<string> {
    return this.#kubectl.run(args, options)
  }

  /** How kubectl ended, when failing is an answer too. */
  kubectlOutcome(args: readonly string[], options?: RunOptions): Promise<Outcome> {
    return this.#kubectl.outcome(args, options)
  }

  /** How kubectl is started, for who wants it to stay. */
  kubectlInvocation(args: readonly string[]): ReturnType<Kubectl['invocation']> {
    return this.#kubectl.invocation(args)
  }

  /** Creates or changes objects. */
  async apply(...objects: readonly object[]): Promise<void> {
    const list = { apiVersion: 'v1', kind: 'List', items: objects }
    await this.kubectl(['apply', '-f', '-'], { input: JSON.stringify(list) })
  }

  /** @throws ClusterError with what it said, when it fails */
  helm(args: readonly string[], options?: RunOptions): Promise<string> {
    return this.#helm.run(args, options)
  }

  /**
   * Gives the images of a tar file to every node.
   *
   * @returns their names
   * @throws ClusterError when there is no such file, or it is not one of images
   */
  async load(archive: string): Promise<string[]> {
    if (!existsSync(archive)) throw new ClusterError(`there is no file ${archive}`, '`npm run images` makes some')
    const names = await Promise.all(this.nodes.map(node => node.load(archive)))
    return names[0] ?? []
  }

  /** Ends a program of the control plane; what it did stays as it is until it is started again. */
  stopProcess(program: ControlProgram, how?: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    return this.control.stop(program, how)
  }

  startProcess(program: ControlProgram): Promise<void> {
    return this.control.startAgain(program)
  }

  restartKubelet(node: string, how?: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    return this.node(node).restart('kubelet', how)
  }
}

/**
 * The cluster that is there, also when it was not brought up to the end.
 *
 * @throws ClusterError when there is none, or who asks is not root
 */
export function openCluster(): Cluster {
  refuseMachine()
  const lock = currentLock()
  if (lock === undefined) throw new NoClusterError('there is no cluster', '`npm run cluster up` brings one up')
  const layout = layoutOf(lock.folder)
  const description = readDescription(layout)
  if (description !== undefined) return new Cluster(layout, description)
  throw new ClusterError(
    `a cluster is being brought up in ${layout.folder}, or was not`,
    'wait for `up`, or run `npm run cluster down`'
  )
}

/** What a folder says of its cluster, if it is the folder of one. */
export function readDescription({ description }: Layout): ClusterDescription | undefined {
  try {
    return JSON.parse(readFileSync(description, 'utf8')) as ClusterDescription
  } catch {
    return undefined
  }
}
