import { optionsInvalid } from '../shared/config/index.ts'
import { formatDuration } from '../shared/duration/index.ts'
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
