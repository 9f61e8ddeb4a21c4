import { join } from 'node:path'
import {
  APPLICATION,
  applicationTrees,
  buildImages,
  type Image,
  nodeTree,
  type Recipe
} from '../../../tools/images/index.ts'

const ROOT = join(import.meta.dirname, '../../..')
const ENTRY = 'examples/identity-provider/main.ts'

export const IDENTITY_PROVIDER_IMAGE = 'countersign.dev/examples/identity-provider:1'

/** The identity provider of the examples. Its library is there for development only: nothing of the product has it. */
export async function identityProviderImages(): Promise<readonly Image[]> {
  const recipe: Recipe = {
    reference: IDENTITY_PROVIDER_IMAGE,
    title: 'Countersign example: an identity provider',
    version: '1',
    user: '65532:65532',
    entry: ENTRY,
    entrypoint: ['/usr/local/bin/node', `${APPLICATION}/${ENTRY}`],
    layers: () => [nodeTree(ROOT), ...applicationTrees(ROOT, ENTRY, '1', true)]
  }
  const images = await buildImages(
    new Map([['identity-provider', recipe]]),
    join(ROOT, '.cache/identity-provider-image')
  )
  return [...images.values()]
}
