import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { freePort } from '../free-port.ts'

export interface TokenWishes {
  /** Who it is for; default `ada`. */
  readonly subject?: string
  /** A URI. */
  readonly audience: string
  /** Default RS256. */
  readonly algorithm?: 'RS256' | 'ES256' | 'EdDSA'
  readonly lifetimeSeconds?: number
  /** Beside those that every token has (RFC 9068, section 2.2). */
  readonly claims?: Readonly<Record<string, unknown>>
}

/** The identity provider of the examples, as a process of its own. */
export interface RunningIdentityProvider {
  readonly issuer: string
  /** Its JSON Web Key Set, as it serves it now. */
  jwks(): Promise<string>
  /** An access token for a user. */
  token(wishes: TokenWishes): Promise<string>
  /** Signs with new keys from now on, and serves the former ones as well. */
  rotate(): Promise<void>
  /** Serves only the keys that it signs with. */
  withdraw(): Promise<void>
  /** Ends it, and resolves with its exit code. */
  stop(): Promise<number | null>
}

const PROGRAM = join(import.meta.dirname, '../../examples/identity-provider/main.ts')

export interface StartOptions {
  /** Default 127.0.0.1. */
  readonly address?: string
  /** What the client `browser` may use. */
  readonly redirectUris?: readonly string[]
}

/**
 * Stopped by its caller.
 *
 * @throws Error with what it wrote when it ends instead of listening
 */
export async function startIdentityProvider({
  address = '127.0.0.1',
  redirectUris = []
}: StartOptions = {}): Promise<RunningIdentityProvider> {
  const port = await freePort(address)
  const issuer = `http://${address}:${port}`
  const program = spawn(process.execPath, [PROGRAM], {
    env: { HOST: address, PORT: String(port), ISSUER: issuer, REDIRECT_URIS: redirectUris.join(',') },
    stdio: ['ignore', 'pipe', 'pipe']
  })
  const ended = once(program, 'close')
  await listening(program)

  const ask = async (path: string, form?: Readonly<Record<string, string>>): Promise<string> => {
    const response = await fetch(`${issuer}${path}`, {
      ...(form === undefined ? {} : { method: 'POST', body: new URLSearchParams(form) }),
      headers: { authorization: `Basic ${btoa('job:demonstration')}` }
    })
    const text = await response.text()
    if (!response.ok) throw new Error(`${path} of the identity provider answers ${response.status}: ${text}`)
    return text
  }
  return {
    issuer,
    jwks: () => ask('/jwks'),
    async token({ subject = 'ada', audience, algorithm = 'RS256', lifetimeSeconds = 3600, claims = {} }) {
      const answer = await ask('/token', {
        grant_type: 'urn:countersign:demonstration:user',
        username: subject,
        resource: audience,
        algorithm,
        lifetime: String(lifetimeSeconds),
        token_claims: JSON.stringify(claims)
      })
      return JSON.parse(answer).access_token
    },
    rotate: async () => void (await ask('/keys/rotate', {})),
    withdraw: async () => void (await ask('/keys/withdraw', {})),
    async stop() {
      program.kill('SIGTERM')
      const [code] = await ended
      return code
    }
  }
}

function listening(program: ChildProcess): Promise<void> {
  let said = ''
  return new Promise((resolve, reject) => {
    const hear = (part: Buffer): void => {
      said += part.toString()
      if (said.includes(' listens on ')) resolve()
    }
    program.stdout?.on('data', hear)
    program.stderr?.on('data', hear)
    program.once('error', reject)
    program.once('close', code => reject(new Error(`the identity provider ended with ${code}: ${said}`)))
  })
}
