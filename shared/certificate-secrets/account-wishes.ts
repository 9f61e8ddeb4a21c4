import { parseDuration } from '../duration/index.ts'
import { didYouMean } from '../suggest/index.ts'

/** What a service account asks of its certificate; what is absent is as the authority has it. */
export interface CertificateWishes {
  readonly key?: 'ecdsa-p256' | 'rsa-2048'
  /** Whether the names of the Services that it runs stand in it. */
  readonly dnsNames?: 'none' | 'services'
  /** In milliseconds. Any that can be read: the authority's limits come later. */
  readonly lifetimeMs?: number
}

export type Wish = keyof CertificateWishes

export interface WishesRead {
  readonly wishes: CertificateWishes
  /** What is asked for in words that mean nothing: neither that nor its absence is what somebody wanted. */
  readonly unreadable: readonly Wish[]
  /** What is wrong, each with the name of its annotation. */
  readonly problems: readonly { readonly annotation: string; readonly message: string }[]
}

interface Annotation {
  /** For docs/annotations.md, like `allowed` and `standard`: a phrase. */
  readonly meaning: string
  readonly allowed: string
  /** What holds for an account without it. */
  readonly standard: string
  readonly wish: Wish
  /** Undefined when the text is not allowed. */
  read(text: string): CertificateWishes | undefined
}

const PREFIX = 'countersign.dev/'
const OURS = `${PREFIX}certificate-`
const LONGEST_SHOWN = 80

function choice<W extends 'key' | 'dnsNames'>(
  wish: W,
  values: readonly NonNullable<CertificateWishes[W]>[]
): Pick<Annotation, 'wish' | 'allowed' | 'read'> {
  return {
    wish,
    allowed: `one of ${values.join(', ')}`,
    read: text => (values.some(value => value === text) ? { [wish]: text } : undefined)
  }
}

/** Every annotation of a service account that is read. */
export const ACCOUNT_ANNOTATIONS: ReadonlyMap<string, Annotation> = new Map<string, Annotation>([
  [
    `${OURS}key`,
    {
      meaning: 'the kind of key in its Secret; rsa-2048 is for programs that know no other',
      standard: 'ecdsa-p256',
      ...choice('key', ['ecdsa-p256', 'rsa-2048'])
    }
  ],
  [
    `${OURS}dns-names`,
    {
      meaning: 'whether the names of the Services that it runs stand in the certificate in its Secret',
      standard: 'none',
      ...choice('dnsNames', ['none', 'services'])
    }
  ],
  [
    `${OURS}lifetime`,
    {
      meaning: 'how long the certificate in its Secret is valid; it is replaced at half of that',
      allowed: 'a duration such as 30m, 24h or 7d; the limits of the authority hold',
      standard: '`certificateSecrets.lifetime` of the chart',
      wish: 'lifetimeMs',
      read(text) {
        const lifetimeMs = parseDuration(text)
        return lifetimeMs === undefined || lifetimeMs === 0 ? undefined : { lifetimeMs }
      }
    }
  ]
])

/** What an account asks for, and what is wrong with that. Annotations that are not about certificates are left alone. */
export function readWishes(annotations: Readonly<Record<string, string>>): WishesRead {
  let wishes: CertificateWishes = {}
  const unreadable: Wish[] = []
  const problems: WishesRead['problems'][number][] = []
  for (const [name, text] of Object.entries(annotations)) {
    if (!name.startsWith(OURS)) continue
    const annotation = ACCOUNT_ANNOTATIONS.get(name)
    const read = annotation?.read(text)
    if (annotation === undefined) problems.push({ annotation: name, message: unknown(name) })
    else if (read === undefined) {
      unreadable.push(annotation.wish)
      problems.push({ annotation: name, message: `expected ${annotation.allowed}, got ${shown(text)}` })
    } else wishes = { ...wishes, ...read }
  }
  return { wishes, unreadable, problems }
}

function unknown(name: string): string {
  const known = [...ACCOUNT_ANNOTATIONS.keys()].map(key => key.slice(PREFIX.length))
  return `unknown${didYouMean(name.slice(PREFIX.length), known)}; known are ${known.join(', ')}`
}

function shown(text: string): string {
  const quoted = JSON.stringify(text)
  return quoted.length <= LONGEST_SHOWN ? quoted : `${quoted.slice(0, LONGEST_SHOWN)}…`
}
