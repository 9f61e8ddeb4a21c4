import { readFileSync } from 'node:fs'
import { optionsInvalid } from '../shared/config/index.ts'
import { formatDuration } from '../shared/duration/index.ts'
import { type Floor, NO_FLOOR, parseFloor } from '../shared/floor/index.ts'
import type { MeshSettings } from './naming/index.ts'
import { type AuthorityOptions, OPTIONS } from './options.ts'

/** Where the authority gets what it knows, and puts what others shall know. */
export type Surroundings =
  | {
      readonly kind: 'folder'
      readonly folder: string
      readonly state: string
      readonly bundleFile: string
      readonly tokenKeys: string
      readonly tokenIssuer: string
    }
  | {
      readonly kind: 'kubernetes'
      readonly kubeconfig: string | undefined
      /** Undefined: what the API server says. */
      readonly tokenIssuer: string | undefined
    }

const BESIDE_A_FOLDER = ['state', 'bundleFile', 'tokenKeys'] as const
const LOCAL_ISSUER = 'https://kubernetes.default.svc.cluster.local'

/** @throws CountersignError ERR_OPTION_INVALID when options are only wrong together */
export function surroundings(options: AuthorityOptions): Surroundings {
  const { folder, state, bundleFile, tokenKeys, tokenIssuer, kubeconfig, secretNamespaces } = options
  const problems = lifetimeProblems(options)
  if (folder === undefined) {
    const given = BESIDE_A_FOLDER.filter(name => options[name] !== undefined)
    problems.push(...given.map(name => `${flag(name)}: only allowed together with ${flag('folder')}`))
    if (problems.length > 0) throw optionsInvalid(problems)
    return { kind: 'kubernetes', kubeconfig, tokenIssuer }
  }
  const missing = BESIDE_A_FOLDER.filter(name => options[name] === undefined)
  problems.push(...missing.map(name => `${flag(name)}: required together with ${flag('folder')}`))
  for (const [name, isGiven] of [
    ['kubeconfig', kubeconfig !== undefined],
    ['secretNamespaces', secretNamespaces.length > 0]
  ] as const)
    if (isGiven) problems.push(`${flag(name)}: not allowed together with ${flag('folder')}`)
  if (state === undefined || bundleFile === undefined || tokenKeys === undefined || problems.length > 0)
    throw optionsInvalid(problems)
  return { kind: 'folder', folder, state, bundleFile, tokenKeys, tokenIssuer: tokenIssuer ?? LOCAL_ISSUER }
}

// No pod of these gets a proxy from the webhook, so none gets a certificate.
const ALWAYS_EXCLUDED = ['kube-system', 'kube-node-lease']

/**
 * What namespaces may not undo, and which pods get certificates.
 *
 * @throws CountersignError ERR_OPTION_INVALID when the floor is not valid
 */
export function admissionRules(
  { floor, unenrolledPods, systemNamespace, excludedNamespaces }: AuthorityOptions,
  { kind }: Surroundings
): Pick<MeshSettings, 'floor' | 'enrolment'> {
  const excluded = new Set([...ALWAYS_EXCLUDED, systemNamespace, ...excludedNamespaces])
  return {
    floor: floor === undefined ? NO_FLOOR : floorOfFile(floor),
    ...(kind === 'folder' ? {} : { enrolment: { excludedNamespaces: excluded, unenrolledPods } })
  }
}

function floorOfFile(path: string): Floor {
  const result = parseFloor(readFileSync(path, 'utf8'))
  if (!result.ok) throw optionsInvalid(result.problems.map(problem => `${flag('floor')} ${path}: ${problem}`))
  return result.floor
}

/** What accounts may ask for has to have what they get without asking between its ends. */
function lifetimeProblems(options: AuthorityOptions): string[] {
  const { secretLifetime, secretShortestLifetime, secretLongestLifetime } = options
  const problems: string[] = []
  const than = (name: Lifetime): string => `${flag(name)} (${formatDuration(options[name])})`
  if (secretShortestLifetime > secretLifetime)
    problems.push(`${than('secretShortestLifetime')}: longer than ${than('secretLifetime')}`)
  if (secretLongestLifetime < secretLifetime)
    problems.push(`${than('secretLongestLifetime')}: shorter than ${than('secretLifetime')}`)
  return problems
}

type Lifetime = 'secretLifetime' | 'secretShortestLifetime' | 'secretLongestLifetime'

const flag = (name: keyof typeof OPTIONS): string => `--${OPTIONS[name].flag}`
