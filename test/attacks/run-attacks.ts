import { globSync } from 'node:fs'
import { join } from 'node:path'

/** Loads the attacks of one attacker: every module of the folder of that name. */
export async function runAttacks(attacker: string): Promise<void> {
  const modules = globSync(`${attacker}/*.ts`, { cwd: import.meta.dirname }).sort()
  if (modules.length === 0) throw new Error(`test/attacks/${attacker} holds no attack`)
  for (const module of modules) await import(join(import.meta.dirname, module))
}
