import { optionsInvalid } from '../shared/config/index.ts'
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
  const { folder, state, bundleFile, tokenKeys, tokenIssuer, kubeconfig } = options
  const flag = (name: keyof typeof OPTIONS): string => `--${OPTIONS[name].flag}`
  if (folder === undefined) {
    const given = BESIDE_A_FOLDER.filter(name => options[name] !== undefined)
    if (given.length > 0)
      throw optionsInvalid(given.map(name => `${flag(name)}: only allowed together with ${flag('folder')}`))
    return { kind: 'kubernetes', kubeconfig, tokenIssuer }
  }
  const problems = BESIDE_A_FOLDER.filter(name => options[name] === undefined).map(
    name => `${flag(name)}: required together with ${flag('folder')}`
  )
  if (kubeconfig !== undefined) problems.push(`${flag('kubeconfig')}: not allowed together with ${flag('folder')}`)
  if (state === undefined || bundleFile === undefined || tokenKeys === undefined || problems.length > 0)
    throw optionsInvalid(problems)
  return { kind: 'folder', folder, state, bundleFile, tokenKeys, tokenIssuer: tokenIssuer ?? LOCAL_ISSUER }
}
