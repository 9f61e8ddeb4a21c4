import { createServer, type Server } from 'node:http'
import { json } from 'node:stream/consumers'
import { type Call, makeCalls } from './calls.ts'
import { Load, type LoadTarget } from './load.ts'
import { Stream, type StreamTarget } from './streams.ts'

/** Where the client's half is told what to do; on localhost, which no proxy captures. */
export const CONTROL_PORT = 8090

/** What goes on until it is ended. */
interface Ongoing {
  end(): Promise<object>
}

type Command = (body: never) => Promise<unknown>

/** The client's half of the application: each request is a command with a JSON body, answered with its results. */
export function serveControl(): Server {
  let ongoing: Ongoing[] = []
  const commands: Readonly<Record<string, Command>> = {
    '/calls': (calls: readonly Call[]) => makeCalls(calls),
    '/start': async ({ streams, loads }: { streams: readonly StreamTarget[]; loads: readonly LoadTarget[] }) => {
      ongoing = [...(await Promise.all(streams.map(Stream.open))), ...loads.map(target => new Load(target))]
      return null
    },
    '/end': async () => {
      const results = await Promise.all(ongoing.map(each => each.end()))
      ongoing = []
      return results
    }
  }
  const server = createServer(async (request, response) => {
    try {
      const command = commands[request.url ?? '']
      if (command === undefined) throw new Error(`there is no command ${request.url}`)
      response.end(JSON.stringify(await command((await json(request)) as never)))
    } catch (thrown) {
      response.writeHead(500).end(String(thrown))
    }
  })
  return server.listen(CONTROL_PORT, '127.0.0.1')
}
