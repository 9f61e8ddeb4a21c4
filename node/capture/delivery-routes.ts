import type { PodNetwork } from './pod-network.ts'
import { PROXY } from './ruleset.ts'
import type { RunInside } from './run-inside.ts'

/**
 * Makes the source addresses of deliveries local to a network namespace, so that the answers of applications stay in
 * it. To be called before the rules are put in place: once they are there, the proxy may deliver. Repeating it changes
 * nothing; IPv6 is left out where the pod has none.
 *
 * Routes, because an address of an interface is listed to applications, and some take the first one for their own. `src`
 * keeps the kernel from choosing these addresses by itself: a connection of the proxy to one of them would otherwise
 * have it as its source, and the rules would let it through to the application as a delivery.
 *
 * @throws CountersignError ERR_CAPTURE_FAILED
 */
export async function addDeliveryRoutes({ hasIpv6 }: PodNetwork, inside: RunInside): Promise<void> {
  const { ip, ip6 } = PROXY.deliverySource
  await inside('', 'ip', '-4', ...route(ip, '127.0.0.1'))
  if (hasIpv6) await inside('', 'ip', '-6', ...route(ip6, '::1'))
}

function route(address: string, source: string): readonly string[] {
  return ['route', 'replace', 'local', address, 'dev', 'lo', 'table', 'local', 'src', source]
}
