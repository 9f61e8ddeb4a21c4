import type { IncomingMessage } from 'node:http'
import { errors, type KoaContextWithOIDC, type Provider } from 'oidc-provider'
import { page } from './page.ts'

const PATH = /^\/sign-in\/[\w-]+$/
const MOST_BYTES = 10_000

/** The page on which people say who they are. Nothing proves it. */
export const signIn =
  (provider: Provider) =>
  async (ctx: KoaContextWithOIDC, next: () => Promise<void>): Promise<void> => {
    if (!PATH.test(ctx.path)) return next()
    // Throws when there is no such interaction, or it is of another browser.
    await provider.interactionDetails(ctx.req, ctx.res)
    if (ctx.method !== 'POST') {
      ctx.type = 'html'
      ctx.body = page('Sign in', FORM)
      return
    }
    const name = new URLSearchParams(await bodyOf(ctx.req)).get('name')
    if (!name) throw new errors.InvalidRequest('name is missing')
    ctx.redirect(await provider.interactionResult(ctx.req, ctx.res, { login: { accountId: name } }))
    ctx.status = 303
  }

const FORM = `<p>This is a demonstration: whoever you say you are, you are.</p>
<form method="post">
<label>Name <input name="name" required autofocus autocomplete="off"></label>
<button type="submit">Sign in</button>
</form>`

async function bodyOf(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of request as AsyncIterable<Buffer>) {
    bytes += part.length
    if (bytes > MOST_BYTES) throw new errors.InvalidRequest('the form is too large')
    parts.push(part)
  }
  return Buffer.concat(parts).toString()
}
