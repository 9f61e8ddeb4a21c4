import { readFileSync } from 'node:fs'
import { optionsInvalid } from '../shared/config/index.ts'
import { type Floor, NO_FLOOR, parseFloor } from '../shared/floor/index.ts'
import { type InjectionSettings, type ProxyResources, type ResourceName, resourceProblems } from './injection/index.ts'
import type { MountingSettings } from './mounting/index.ts'
import { WEBHOOK_OPTIONS, type WebhookOptions } from './options.ts'

// What a cluster needs in order to start and to heal must never wait for a proxy, or a Secret.
const ALWAYS_EXCLUDED = ['kube-system', 'kube-node-lease']

const OPTION_OF: Readonly<Record<ResourceName, keyof typeof WEBHOOK_OPTIONS>> = {
  cpu: 'proxyCpu',
  cpuLimit: 'proxyCpuLimit',
  memory: 'proxyMemory',
  memoryLimit: 'proxyMemoryLimit'
}

/** @throws CountersignError ERR_OPTION_INVALID when options are only wrong together */
export function injectionSettings(options: WebhookOptions): InjectionSettings {
  const resources: ProxyResources = {
    cpu: options.proxyCpu,
    cpuLimit: options.proxyCpuLimit,
    memory: options.proxyMemory,
    memoryLimit: options.proxyMemoryLimit
  }
  const problems = resourceProblems(resources, name => `--${WEBHOOK_OPTIONS[OPTION_OF[name]].flag}`)
  const drainTimeSeconds = options.proxyDrainTime / 1_000
  if (!Number.isInteger(drainTimeSeconds))
    problems.push(`--${WEBHOOK_OPTIONS.proxyDrainTime.flag} "${options.proxyDrainTime}ms": expected whole seconds`)
  if (options.certificateFolder === undefined && options.dnsNames.length === 0)
    problems.push(`--${WEBHOOK_OPTIONS.dnsNames.flag}: expected at least one name`)
  problems.push(...registrationProblems(options))
  const excludedNamespaces = new Set([...ALWAYS_EXCLUDED, options.systemNamespace, ...options.excludedNamespaces])
  const floor = floorOfFile(options, excludedNamespaces, problems)
  if (problems.length > 0) throw optionsInvalid(problems)
  return Object.freeze({
    image: options.proxyImage,
    imagePullPolicy: options.proxyImagePullPolicy,
    resources,
    logLevel: options.proxyLogLevel,
    drainTimeSeconds,
    excludedNamespaces,
    floor
  })
}

/** No pod of an excluded namespace is changed, so a rule for it would not hold. */
function floorOfFile({ floor: path }: WebhookOptions, excluded: ReadonlySet<string>, problems: string[]): Floor {
  if (path === undefined) return NO_FLOOR
  const result = parseFloor(readFileSync(path, 'utf8'))
  const found = result.ok
    ? [...result.floor.namespaces.keys()]
        .filter(name => excluded.has(name))
        .map(name => `namespaces.${name}: expected a namespace that is not excluded from injection`)
    : result.problems
  problems.push(...found.map(problem => `--${WEBHOOK_OPTIONS.floor.flag} ${path}: ${problem}`))
  return result.ok ? result.floor : NO_FLOOR
}

/** Certificates are no matter of injection: where that is not wanted, they may well be. */
export function mountingSettings({ systemNamespace }: WebhookOptions): MountingSettings {
  return Object.freeze({ excludedNamespaces: new Set([...ALWAYS_EXCLUDED, systemNamespace]) })
}

/** Who makes the certificate registers it: two who did would undo what the other has done. */
function registrationProblems({ webhookConfiguration, certificateFolder, kubeconfig }: WebhookOptions): string[] {
  const { webhookConfiguration: registration, certificateFolder: folder, kubeconfig: config } = WEBHOOK_OPTIONS
  if (webhookConfiguration === undefined)
    return kubeconfig === undefined ? [] : [`--${config.flag}: only allowed together with --${registration.flag}`]
  if (certificateFolder === undefined) return []
  const who = 'whoever writes the folder registers its roots, cert-manager by cert-manager.io/inject-ca-from'
  return [`--${registration.flag}: not allowed together with --${folder.flag}: ${who}`]
}
