// envoy_listener_ssl_handshake{envoy_listener_address="inbound"} 3
const HANDSHAKES = /^envoy_listener_ssl_handshake\{[^}]*"inbound"[^}]*\} (\d+)$/gm

/** How many TLS handshakes an inbound listener of Envoy has finished; 0 before the first. */
export async function handshakes(url: string): Promise<number> {
  const answer = await fetch(url)
  const text = await answer.text()
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}`)
  return [...text.matchAll(HANDSHAKES)].reduce((sum, [, count]) => sum + Number(count), 0)
}
