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

export interface ImageOfProgram {
  /** Of the folder in which the image is kept. */
  readonly name: string
  readonly reference: string
  readonly title: string
  /** Below the root of the checkout. */
  readonly entry: string
  /** Whether it uses what is installed for development only: nothing of the product does. */
  readonly development?: boolean
}

/** The image of a program of Node.js that a suite needs. */
export async function programImage(program: ImageOfProgram): Promise<readonly Image[]> {
  const { name, reference, title, entry, development = false } = program
  const recipe: Recipe = {
    reference,
    title,
    version: '1',
    user: '65532:65532',
    entry,
    entrypoint: ['/usr/local/bin/node', `${APPLICATION}/${entry}`],
    layers: () => [nodeTree(ROOT), ...applicationTrees(ROOT, entry, '1', development)]
  }
  const images = await buildImages(new Map([[name, recipe]]), join(ROOT, `.cache/${name}-image`))
  return [...images.values()]
}
