import { parseQuantity, type Quantity } from './quantity.ts'

/** What one proxy may use. */
export interface ProxyResources {
  readonly cpu: Quantity
  /** Also decides how many worker threads Envoy starts. */
  readonly cpuLimit: Quantity
  readonly memory: Quantity
  readonly memoryLimit: Quantity
}

export type ResourceName = keyof ProxyResources

/** How one resource is written: what is allowed, in words, and the reading of it. */
interface AmountRule {
  readonly allowed: string
  parse(text: string): Quantity | undefined
}

// Below the least amount Envoy does not start: it is a forgotten or mistaken unit ("128", "64m") and never meant. The
// most keeps the number of worker threads one that Envoy takes.
function amount(least: string, most: string, what: string): AmountRule {
  const [low, high] = [parseQuantity(least)?.nano ?? 0n, parseQuantity(most)?.nano ?? 0n]
  return {
    allowed: `an amount of ${what} from ${least} to ${most}`,
    parse(text) {
      const quantity = parseQuantity(text)
      return quantity !== undefined && quantity.nano >= low && quantity.nano <= high ? quantity : undefined
    }
  }
}

const cpu = amount('1m', '256', 'CPU')
const memory = amount('16Mi', '1Ti', 'memory')

/** The rule for each resource; options and annotations share it. */
export const AMOUNTS: Readonly<Record<ResourceName, AmountRule>> = { cpu, cpuLimit: cpu, memory, memoryLimit: memory }

/** Requests that are larger than their limits, each as a sentence; `nameOf` says what the reader calls a resource. */
export function resourceProblems(resources: ProxyResources, nameOf: (resource: ResourceName) => string): string[] {
  const pairs = [
    ['cpu', 'cpuLimit'],
    ['memory', 'memoryLimit']
  ] as const
  return pairs
    .filter(([request, limit]) => resources[request].nano > resources[limit].nano)
    .map(([request, limit]) => {
      const [asked, most] = [resources[request].text, resources[limit].text]
      return `${nameOf(request)} ${JSON.stringify(asked)}: expected at most the ${nameOf(limit)}, ${JSON.stringify(most)}`
    })
}
