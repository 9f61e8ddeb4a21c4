import type { ErrorOut, KoaContextWithOIDC } from 'oidc-provider'
import { escapeHtml, page } from './page.ts'

/** What a person sees who was sent here wrongly. */
export function errorPage(ctx: KoaContextWithOIDC, { error, error_description: description }: ErrorOut): void {
  ctx.type = 'html'
  ctx.body = page('This did not work', `<p>${escapeHtml(error)}: ${escapeHtml(description ?? '')}</p>`)
}
