import { z } from 'zod'
import { expected, list, show, textWithout } from './schema.ts'

/** RequestAuthentication is of Istio, whose schema has no such field. */
export const EXEMPT_PORTS_ANNOTATION = 'countersign.dev/exempt-ports'

/** Each is part of an expression that proxies ask about every request. */
const MOST_PORTS = 64
const PORT = 'a port from 1 to 65535'

/** What the annotation may be, as a phrase after "expected". */
export const EXEMPT_PORTS_ALLOWED = `1 to ${MOST_PORTS} entries separated by commas, each ${PORT} and each once`

const port = z
  .int({ error: expected(PORT) })
  .min(1, { error: expected(PORT) })
  .max(65_535, { error: expected(PORT) })

/** `spec.exemptPorts` of an EndUserAuthentication. */
export const exemptPorts = list(port, 'port', MOST_PORTS, 1).superRefine((ports, context) => {
  for (const [index, number] of ports.entries())
    if (ports.indexOf(number) < index)
      context.addIssue({ code: 'custom', path: [index], message: `expected each port once, got ${number} again` })
})

/** The annotation of a RequestAuthentication. Only checked: `exemptPortsIn` reads it. */
export const exemptPortsText = textWithout(
  text => (exemptPortsIn(text) === undefined ? `expected ${EXEMPT_PORTS_ALLOWED}, got ${show(text)}` : undefined),
  EXEMPT_PORTS_ALLOWED
)

/** The ports that the annotation names, ascending. Undefined where it is not allowed as a whole. */
export function exemptPortsIn(text: string): readonly number[] | undefined {
  const entries = text.split(',').map(entry => entry.trim())
  if (entries.length > MOST_PORTS || !entries.every(entry => /^[1-9][0-9]{0,4}$/.test(entry))) return undefined
  const ports = entries.map(Number)
  if (ports.some(number => number > 65_535) || new Set(ports).size < ports.length) return undefined
  return inOrder(ports)
}

/** Frozen and ascending, so that the order in which ports are written changes nothing. */
export const inOrder = (ports: readonly number[]): readonly number[] => Object.freeze([...ports].sort((a, b) => a - b))
