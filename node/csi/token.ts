import { z } from 'zod'
import { Sensitive } from '../../shared/log/index.ts'

export interface PodToken {
  readonly token: Sensitive<string>
  /** RFC 3339; undefined where the kubelet said something else. */
  readonly expiresAt: string | undefined
}

// An object of TokenRequestStatus by audience: Kubernetes CSI drivers, "Token requests".
const statusSchema = z.object({
  token: z.string().min(1),
  expirationTimestamp: z.iso.datetime({ offset: true }).optional().catch(undefined)
})

/**
 * The token for an audience out of what the kubelet sends; or, as a sentence that shows nothing of it, why there is
 * none.
 */
export function tokenFor(audience: string, text: string): PodToken | string {
  const byAudience = z.record(z.string(), z.unknown()).safeParse(parseJson(text))
  if (!byAudience.success) return 'expected a JSON object of tokens by audience'
  if (!Object.hasOwn(byAudience.data, audience))
    return `expected a token for audience ${audience}: the CSIDriver object needs it in tokenRequests`
  const found = statusSchema.safeParse(byAudience.data[audience])
  if (!found.success) return `expected a token as text for audience ${audience}`
  return { token: new Sensitive(found.data.token), expiresAt: found.data.expirationTimestamp }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // The parser's own message quotes the text.
    return undefined
  }
}
