// The peer of the webhook: fastify alone, with the webhook's TLS settings, certificate and answer.
//
//   node test/bench/constant-server.ts HOST PORT FOLDER    (tls.crt, tls.key, answer.json; says `listening`)

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fastify from 'fastify'

const [host = '', port = '', folder = ''] = process.argv.slice(2)
const read = (name: string): string => readFileSync(join(folder, name), 'utf8')

const answer = read('answer.json')
const server = fastify({ https: { cert: read('tls.crt'), key: read('tls.key'), minVersion: 'TLSv1.3' } })
server.post('/inject', (_request, reply) => reply.type('application/json').send(answer))
await server.listen({ host, port: Number(port) })
console.log('listening')
