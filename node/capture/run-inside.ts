import type { PodNetwork } from './pod-network.ts'
import type { runBounded } from './run-bounded.ts'

export type Run = typeof runBounded

/** Runs a command in a network namespace, with `input` as its standard input. */
export type RunInside = (input: string, ...command: string[]) => Promise<string>

/** By descriptor: the namespace that was verified, whatever has become of the process since. */
export function insideOf({ descriptor }: PodNetwork, run: Run): RunInside {
  return (input, ...command) => run('nsenter', ['--net=/proc/self/fd/3', ...command], { input, descriptor })
}
