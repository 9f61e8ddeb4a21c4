/** What a proxy wrote into x-forwarded-client-cert: whom it verified, and whom it is itself. */
export interface ForwardedIdentities {
  readonly client: string | undefined
  readonly server: string | undefined
}

/** Reads the `URI` and `By` elements of the header's last entry (Envoy, "x-forwarded-client-cert"). */
export function forwardedIdentities(header: string | null): ForwardedIdentities {
  const last = header?.split(',').at(-1) ?? ''
  const element = (name: string): string | undefined =>
    last
      .split(';')
      .find(part => part.toLowerCase().startsWith(`${name.toLowerCase()}=`))
      ?.slice(name.length + 1)
      .replaceAll('"', '')
  return { client: element('URI'), server: element('By') }
}
