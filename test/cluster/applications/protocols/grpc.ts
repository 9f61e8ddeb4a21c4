import {
  Client,
  credentials,
  type Metadata,
  type MethodDefinition,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData
} from '@grpc/grpc-js'
import { type Answer, Answers } from './answer.ts'
import { type Conversation, callOnce, expectEcho, type Kind } from './kind.ts'

const bytesOf = (message: unknown): Buffer => Buffer.from(JSON.stringify(message))
const messageOf = (bytes: Buffer) => JSON.parse(String(bytes))

function method<In, Out>(name: string, requestStream: boolean, responseStream: boolean): MethodDefinition<In, Out> {
  return {
    path: `/countersign.test.Echo/${name}`,
    requestStream,
    responseStream,
    requestSerialize: bytesOf,
    requestDeserialize: messageOf,
    responseSerialize: bytesOf,
    responseDeserialize: messageOf
  }
}

// Messages are JSON: gRPC leaves their encoding to whoever defines a service.
const ECHO = {
  once: method<string, Answer>('Once', false, false),
  thrice: method<string, Answer>('Thrice', false, true),
  always: method<string, Answer>('Always', true, true)
}

const DEADLINE_MS = 10_000
// A connection for each call, no retry, and nobody between.
const CHANNEL = {
  'grpc.use_local_subchannel_pool': 1,
  'grpc.enable_http_proxy': 0,
  'grpc.service_config_disable_resolution': 1,
  'grpc.enable_retries': 0
}

/** gRPC: a call is one unary, one that is answered three times, and one in which both talk. */
export const grpc: Kind = {
  port: 8082,
  serve(port, hear) {
    const answerTo = (call: { metadata: Metadata; getPeer(): string }, echo: string): Answer => ({
      echo,
      clientCertificate: call.metadata.get('x-forwarded-client-cert')[0]?.toString() ?? null,
      source: call.getPeer().replace(/:\d+$/, '')
    })
    const server = new Server()
    server.addService(ECHO, {
      once(call: ServerUnaryCall<string, Answer>, reply: sendUnaryData<Answer>) {
        const answer = answerTo(call, call.request)
        hear(answer)
        reply(null, answer)
      },
      thrice(call: ServerWritableStream<string, Answer>) {
        const answer = answerTo(call, call.request)
        hear(answer)
        for (let time = 0; time < 3; time++) call.write(answer)
        call.end()
      },
      always(call: ServerDuplexStream<string, Answer>) {
        let isFirst = true
        call.on('data', (text: string) => {
          const answer = answerTo(call, text)
          if (isFirst) hear(answer)
          isFirst = false
          call.write(answer)
        })
        call.on('error', () => call.end())
        call.on('end', () => call.end())
      }
    })
    server.bindAsync(`0.0.0.0:${port}`, ServerCredentials.createInsecure(), error => {
      if (error !== null) throw error
    })
    return { close: () => server.tryShutdown(() => {}) }
  },
  async call(address, port, text) {
    const client = new Client(`${address}:${port}`, credentials.createInsecure(), CHANNEL)
    try {
      expectEcho(await once(client, text), text)
      const answers = await thrice(client, text)
      if (answers.length !== 3) throw new Error(`${answers.length} answers, expected 3`)
    } finally {
      client.close()
    }
    await callOnce(grpcConversation(address, port), text)
  },
  open: grpcConversation
}

const once = (client: Client, text: string): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const { path, requestSerialize, responseDeserialize } = ECHO.once
    const options = { deadline: Date.now() + DEADLINE_MS }
    client.makeUnaryRequest(path, requestSerialize, responseDeserialize, text, options, (error, answer) => {
      if (error !== null || answer === undefined) reject(error)
      else resolve(answer)
    })
  })

async function thrice(client: Client, text: string): Promise<Answer[]> {
  const { path, requestSerialize, responseDeserialize } = ECHO.thrice
  const call = client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, text, {
    deadline: Date.now() + DEADLINE_MS
  })
  const answers: Answer[] = []
  for await (const answer of call) answers.push(answer as Answer)
  return answers
}

async function grpcConversation(address: string, port: number): Promise<Conversation> {
  const client = new Client(`${address}:${port}`, credentials.createInsecure(), CHANNEL)
  const { path, requestSerialize, responseDeserialize } = ECHO.always
  const call = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize)
  const answers = new Answers()
  call.on('data', (answer: Answer) => answers.came(JSON.stringify(answer)))
  call.on('error', error => answers.end(error))
  call.on('end', () => answers.end(new Error('the stream was ended by the server')))
  return {
    exchange(text) {
      const answer = answers.next()
      call.write(text)
      return answer
    },
    close() {
      call.cancel()
      client.close()
    }
  }
}
