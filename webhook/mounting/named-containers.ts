import { CERTIFICATES_ANNOTATION, SECRET_MOUNT } from '../../shared/certificate-secrets/index.ts'
import { didYouMean } from '../../shared/suggest/index.ts'
import { containersOf, type PlacedContainer, type Pod, PROXY_CONTAINER } from '../pod/index.ts'

/** Every annotation of a pod that mounting reads, for docs/annotations.md: phrases. */
export const ANNOTATIONS = new Map([
  [
    CERTIFICATES_ANNOTATION,
    {
      meaning: `containers that find the certificate, the key and the roots of the pod’s service account in \`${SECRET_MOUNT}\`, see certificate-secrets.md`,
      allowed: 'names of containers of the pod, init containers included, separated by commas',
      standard: 'none'
    }
  ]
])

/** The containers that the annotation names, each once and in the order of the pod, and what is wrong with it. */
export interface NamedContainers {
  readonly containers: readonly PlacedContainer[]
  readonly problems: readonly string[]
}

// More wrong names than anybody reads; and a name of a container has 63 characters.
const MOST_TOLD = 20
const LONGEST_SHOWN = 80

export function namedContainers(pod: Pod): NamedContainers {
  const own = containersOf(pod).filter(({ container }) => container.name !== PROXY_CONTAINER)
  const names = own.map(({ container }) => container.name)
  const text = pod.metadata?.annotations?.[CERTIFICATES_ANNOTATION] ?? ''
  const entries = [...new Set(text.split(',').map(entry => entry.trim()))]
  const wrong = entries.filter(entry => !names.includes(entry)).map(entry => fault(entry, names))
  return {
    containers: own.filter(({ container }) => entries.includes(container.name)),
    problems: wrong.length === 0 ? [] : [complaint(text, wrong, names)]
  }
}

function fault(entry: string, names: readonly string[]): string {
  if (entry === '') return 'a name is missing'
  if (entry === PROXY_CONTAINER) return `${PROXY_CONTAINER} has its certificate from the agent`
  return `there is no container ${shown(entry)}${didYouMean(entry, names)}`
}

function complaint(text: string, wrong: readonly string[], names: readonly string[]): string {
  const told = wrong.slice(0, MOST_TOLD)
  if (wrong.length > told.length) told.push(`and ${wrong.length - told.length} more are wrong`)
  const expected = `expected names of containers separated by commas, of ${names.join(', ')}`
  return `annotation ${CERTIFICATES_ANNOTATION} ${shown(text)}: ${expected}; ${told.join('; ')}`
}

function shown(text: string): string {
  const quoted = JSON.stringify(text)
  return quoted.length <= LONGEST_SHOWN ? quoted : `${quoted.slice(0, LONGEST_SHOWN)}…`
}
