import type { Endpoint, Pod } from '../../shared/inventory/index.ts'

// The interface that has the addresses of a pod's status; container runtimes name it so, whatever the network is.
export const OWN_INTERFACE = 'eth0'

/** Whether connections meet the bare application, because capture leaves them alone. */
export function bypassesProxy({ bypass, addresses }: Pod, { address, port }: Endpoint): boolean {
  if (bypass === undefined) return false
  return bypass.ports.includes(port) || (bypass.interfaces.includes(OWN_INTERFACE) && addresses.includes(address))
}
