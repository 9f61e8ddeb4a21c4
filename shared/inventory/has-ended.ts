import type { Pod } from './types.ts'

/** Its containers have stopped for good: it serves nobody, and its address may be another's. */
export function hasEnded({ phase }: Pod): boolean {
  return phase === 'Succeeded' || phase === 'Failed'
}
