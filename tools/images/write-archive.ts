import { createWriteStream } from 'node:fs'
import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { archive } from './archive.ts'
import type { Image } from './image.ts'

/**
 * Writes one image to a file, unless the file is still what was written last time.
 *
 * @param cache the folder in which it is noted what was written where
 * @returns the size in bytes, and whether there was anything to write
 */
export async function writeArchive(
  image: Image,
  file: string,
  cache: string
): Promise<{ size: number; written: boolean }> {
  const note = join(cache, 'archives', encodeURIComponent(resolve(file)))
  const noted = await readFile(note, 'utf8').catch(() => undefined)
  if (noted !== undefined && noted === (await describe(image, file)))
    return { size: (await stat(file)).size, written: false }
  await mkdir(dirname(file), { recursive: true })
  const unfinished = `${file}.${process.pid}.unfinished`
  try {
    await pipeline(archive([image]), createWriteStream(unfinished))
    await rename(unfinished, file)
  } finally {
    await rm(unfinished, { force: true })
  }
  await mkdir(dirname(note), { recursive: true })
  await writeFile(note, (await describe(image, file)) ?? '')
  return { size: (await stat(file)).size, written: true }
}

/** What a file on disk is, cheaply: it is taken for the same as long as its size and time are. */
async function describe(image: Image, file: string): Promise<string | undefined> {
  const found = await stat(file).catch(() => undefined)
  return found === undefined ? undefined : `${image.digest} ${found.size} ${found.mtimeMs}`
}
