import type { Answer } from './answer.ts'

/** What can be spoken: the name is that of the port, too, and says it to Kubernetes as users do. */
export type KindName = 'http' | 'http2' | 'grpc' | 'http-websocket' | 'tcp' | 'tcp-greeting'

/** Says what was heard from whom. */
export type Hear = (answer: Answer) => void

/** An open connection on which both go on talking. */
export interface Conversation {
  exchange(text: string): Promise<Answer>
  close(): void
}

export interface Listening {
  /** Takes nothing new; what is open may go on. */
  close(): void
}

/** A protocol, both ends of it. */
export interface Kind {
  readonly port: number
  serve(port: number, hear: Hear): Listening
  /** Says it once in every way that the protocol has, and fails unless each is answered. */
  call(address: string, port: number, text: string): Promise<void>
  /** Where a connection can be talked on for long. */
  open?(address: string, port: number): Promise<Conversation>
}

/** One exchange by a conversation of its own. */
export async function callOnce(conversation: Promise<Conversation>, text: string): Promise<void> {
  const { exchange, close } = await conversation
  try {
    expectEcho(await exchange(text), text)
  } finally {
    close()
  }
}

export function expectEcho({ echo }: Answer, text: string): void {
  if (echo !== text) throw new Error(`said ${JSON.stringify(text)}, and the answer was to ${JSON.stringify(echo)}`)
}
