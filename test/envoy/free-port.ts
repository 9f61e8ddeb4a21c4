import { createServer } from 'node:net'

/** A TCP port on which nobody listens at that address. Addresses of one test alone (127.x.y.z) make collisions rare. */
export function freePort(address: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, address, () => {
      const bound = server.address()
      server.close(() => {
        if (bound === null || typeof bound === 'string') reject(new TypeError(`no port on ${address}`))
        else resolve(bound.port)
      })
    })
  })
}
