import { chmod, copyFile, mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { FileTree } from './file-tree.ts'

/** Writes the files of a layer into a folder, for those who build images with something else. */
export async function unpack(tree: FileTree, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true })
  for (const entry of tree.entries()) {
    const path = join(folder, entry.path)
    if (entry.type === 'directory') await mkdir(path, { recursive: true })
    else if (entry.type === 'link') await symlink(entry.target, path)
    else if (Buffer.isBuffer(entry.content)) await writeFile(path, entry.content)
    else await copyFile(entry.content.file, path)
    if (entry.type !== 'link') await chmod(path, entry.mode)
  }
}
