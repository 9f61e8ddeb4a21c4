import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ClusterError } from './cluster-error.ts'
import {
  apiServerArguments,
  controllerArguments,
  corefile,
  dnsObjects,
  etcdArguments,
  schedulerArguments
} from './config/index.ts'
import type { Kubectl } from './kubectl.ts'
import type { Machine } from './machine.ts'
import type { Layout } from './settings.ts'
import { until } from './until.ts'

/** The programs of the control plane, as they are called here. */
export type ControlProgram = 'etcd' | 'apiserver' | 'controllers' | 'scheduler' | 'coredns'

export const CONTROL_PROGRAMS: readonly ControlProgram[] = ['etcd', 'apiserver', 'controllers', 'scheduler', 'coredns']

const READY_MS = 120_000

/** Starts the store and the API server. They are of use once `apiServerReady` is. */
export async function startApiServer(machine: Machine, { kube, pki }: Layout): Promise<void> {
  await machine.start('etcd', [kube, 'etcd', ...etcdArguments(join(machine.folder, 'etcd'))])
  await machine.start('apiserver', [kube, 'kube-apiserver', ...apiServerArguments(pki)])
}

/** Waits until the API server says that it is ready. */
export async function apiServerReady(machine: Machine, kubectl: Kubectl): Promise<void> {
  let said = ''
  const ask = async (): Promise<true | undefined> => {
    for (const program of ['etcd', 'apiserver']) await machine.mustRun(program)
    const { code, stderr } = await kubectl.outcome(['get', '--raw', '/readyz'])
    said = stderr.trim()
    return code === 0 ? true : undefined
  }
  const late = (): Error =>
    new ClusterError(
      `the API server is not ready after ${READY_MS / 1000} s: ${said}`,
      `see ${machine.folder}/log/apiserver.log`
    )
  await until(ask, READY_MS, late)
}

/** Starts everything that needs a ready API server. */
export async function startControllers(machine: Machine, layout: Layout, kubectl: Kubectl): Promise<void> {
  const { kube, coredns, pki } = layout
  await machine.start('controllers', [kube, 'kube-controller-manager', ...controllerArguments(pki)])
  await machine.start('scheduler', [kube, 'kube-scheduler', ...schedulerArguments(pki)])
  const file = join(machine.folder, 'Corefile')
  await mkdir(machine.folder, { recursive: true })
  await writeFile(file, corefile(layout.kubeconfig))
  await machine.start('coredns', [coredns, '-conf', file])
  await kubectl.run(['apply', '-f', '-'], { input: JSON.stringify(dnsObjects()) })
}
