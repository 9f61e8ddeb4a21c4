import { existsSync, readdirSync } from 'node:fs'
import { readFile, rmdir, writeFile } from 'node:fs/promises'
import { NETNS_FOLDER } from './network.ts'
import { outcomeOf } from './run.ts'

/** Settings of the whole kernel that a kubelet changes when it starts (Kubernetes, pkg/kubelet/cm). */
const SYSCTLS = [
  'vm/overcommit_memory',
  'vm/panic_on_oom',
  'kernel/panic',
  'kernel/panic_on_oops',
  'kernel/keys/root_maxkeys',
  'kernel/keys/root_maxbytes'
].map(name => `/proc/sys/${name}`)

/** What a cluster changes on the machine outside of its own folder, as it was before. */
interface HostState {
  readonly sysctls: Readonly<Record<string, string>>
  /** The folder that `ip netns` makes when it is used for the first time, and mounts on itself. */
  readonly hasNetnsFolder: boolean
}

/** Notes how the machine is, to be put back when the cluster is gone. */
export async function saveHostState(file: string): Promise<void> {
  const sysctls = await Promise.all(
    SYSCTLS.filter(existsSync).map(async name => [name, (await readFile(name, 'utf8')).trim()] as const)
  )
  const state: HostState = { sysctls: Object.fromEntries(sysctls), hasNetnsFolder: existsSync(NETNS_FOLDER) }
  await writeFile(file, JSON.stringify(state))
}

/** Puts back what was noted, if anything was. */
export async function restoreHostState(file: string): Promise<void> {
  const state = await readState(file)
  if (state === undefined) return
  const { sysctls, hasNetnsFolder } = state
  for (const [name, value] of Object.entries(sysctls)) await writeFile(name, value)
  const ours = !hasNetnsFolder && existsSync(NETNS_FOLDER) && readdirSync(NETNS_FOLDER).length === 0
  if (!ours) return
  await outcomeOf('umount', [NETNS_FOLDER])
  await rmdir(NETNS_FOLDER)
}

// It is written before anything is changed: when it is not whole, nothing was.
async function readState(file: string): Promise<HostState | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as HostState
  } catch {
    return undefined
  }
}
