import { join } from 'node:path'
import { LocalProcess, until } from '../local/index.ts'

const PROGRAM = join(import.meta.dirname, '../../examples/identity-provider/main.ts')

/** The identity provider of the examples: OpenID Connect on an address of this machine. */
export class DemoIdentityProvider {
  readonly issuer: string
  readonly #process: LocalProcess

  private constructor(issuer: string, process: LocalProcess) {
    this.issuer = issuer
    this.#process = process
  }

  static async start(address: string): Promise<DemoIdentityProvider> {
    const issuer = `http://${address}:8080`
    const process = await LocalProcess.start({
      name: 'identity-provider',
      command: globalThis.process.execPath,
      args: [PROGRAM],
      environment: { HOST: address, PORT: '8080', ISSUER: issuer }
    })
    const provider = new DemoIdentityProvider(issuer, process)
    await until('the identity provider', async () => {
      if (!process.running) throw new Error(`the identity provider ended:\n${process.output.join('\n')}`)
      const answer = await fetch(`${issuer}/.well-known/openid-configuration`).catch(() => undefined)
      return answer?.ok || undefined
    })
    return provider
  }

  /** An access token of a user (RFC 9068). */
  async token(username: string, audience: string): Promise<string> {
    const answer = await fetch(`${this.issuer}/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${btoa('job:demonstration')}` },
      body: new URLSearchParams({
        grant_type: 'urn:countersign:demonstration:user',
        username,
        resource: audience
      })
    })
    if (!answer.ok) throw new Error(`the identity provider answers ${answer.status}: ${await answer.text()}`)
    const { access_token } = (await answer.json()) as { access_token: string }
    return access_token
  }

  async stop(): Promise<void> {
    await this.#process.stop()
  }
}
