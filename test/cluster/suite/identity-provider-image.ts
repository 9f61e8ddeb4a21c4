import type { Image } from '../../../tools/images/index.ts'
import { programImage } from './program-image.ts'

export const IDENTITY_PROVIDER_IMAGE = 'countersign.dev/examples/identity-provider:1'

/** The identity provider of the examples. */
export const identityProviderImages = (): Promise<readonly Image[]> =>
  programImage({
    name: 'identity-provider',
    reference: IDENTITY_PROVIDER_IMAGE,
    title: 'Countersign example: an identity provider',
    entry: 'examples/identity-provider/main.ts',
    development: true
  })
