import { createReadStream } from 'node:fs'
import { archive, type Image } from '../../tools/images/index.ts'
import { type RunOptions, run } from './run.ts'

/** The containerd of one node, as far as images go. */
export class ImageImporter {
  readonly #arguments: readonly string[]

  /** @param socket where that containerd listens */
  constructor(socket: string) {
    // The namespace in which the kubelet looks for images.
    this.#arguments = ['--address', socket, '--namespace', 'k8s.io']
  }

  /**
   * Imports the images of a tar file.
   *
   * @returns their names
   */
  importFile(file: string): Promise<string[]> {
    return this.#import(createReadStream(file))
  }

  /** Imports images, and sends only layers that are not there already: each takes seconds. */
  async importImages(images: readonly Image[]): Promise<string[]> {
    const present = new Set((await this.#ctr(['content', 'ls', '--quiet'])).split('\n').filter(Boolean))
    try {
      return await this.#import(archive(images, present))
    } catch {
      // containerd collects what no image refers to, also between the question and the import.
      return this.#import(archive(images))
    }
  }

  async #import(input: AsyncIterable<Buffer>): Promise<string[]> {
    const output = await this.#ctr(['images', 'import', '-'], { input })
    return output.split('\n').flatMap(line => /^unpacking (\S+)/.exec(line)?.[1] ?? [])
  }

  #ctr(args: readonly string[], options?: RunOptions): Promise<string> {
    return run('ctr', [...this.#arguments, ...args], options)
  }
}
