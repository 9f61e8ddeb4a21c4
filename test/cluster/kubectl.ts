import { type Outcome, outcomeOf, type RunOptions, run } from './run.ts'
import { CONTROL, type Layout } from './settings.ts'

/** A program that talks to the API server: kubectl or helm. */
export class Kubectl {
  readonly #layout: Layout
  readonly #program: readonly string[]

  private constructor(layout: Layout, program: readonly string[]) {
    this.#layout = layout
    this.#program = program
  }

  static kubectl(layout: Layout): Kubectl {
    return new Kubectl(layout, [layout.kube, 'kubectl'])
  }

  static helm(layout: Layout): Kubectl {
    return new Kubectl(layout, [layout.helm])
  }

  /** The command line and the environment, for who wants to start it otherwise. */
  invocation(args: readonly string[]): { command: string; args: string[]; env: Record<string, string> } {
    const { kubeconfig, home } = this.#layout
    return {
      command: 'nsenter',
      args: [`--net=/run/netns/${CONTROL.netns}`, '--', ...this.#program, ...args],
      env: {
        KUBECONFIG: kubeconfig,
        KUBECACHEDIR: `${home}/kube`,
        HELM_CACHE_HOME: `${home}/helm/cache`,
        HELM_CONFIG_HOME: `${home}/helm/config`,
        HELM_DATA_HOME: `${home}/helm/data`
      }
    }
  }

  /** @throws ClusterError with what it said, when it fails */
  run(args: readonly string[], options: RunOptions = {}): Promise<string> {
    const { command, args: all, env } = this.invocation(args)
    return run(command, all, { ...options, env: { ...env, ...options.env } })
  }

  /** How it ended, when failing is an answer too. */
  outcome(args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
    const { command, args: all, env } = this.invocation(args)
    return outcomeOf(command, all, { ...options, env: { ...env, ...options.env } })
  }
}
