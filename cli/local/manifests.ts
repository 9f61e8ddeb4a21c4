import { globSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { KubernetesObject, V1Deployment } from '@kubernetes/client-node'
import { parseAllDocuments } from 'yaml'

/** Every object of the YAML files below a folder, in the order of their file names. */
export async function readManifests(folder: string): Promise<KubernetesObject[]> {
  const files = globSync('**/*.yaml', { cwd: folder }).sort()
  const texts = await Promise.all(files.map(file => readFile(join(folder, file), 'utf8')))
  return texts
    .flatMap(text => parseAllDocuments(text).map(document => document.toJS() as KubernetesObject))
    .filter(Boolean)
}

/** The Deployments among them, by name. */
export function readDeployments(objects: readonly KubernetesObject[]): ReadonlyMap<string, V1Deployment> {
  const deployments = objects.filter((object): object is V1Deployment => object.kind === 'Deployment')
  return new Map(deployments.map(deployment => [deployment.metadata?.name ?? '', deployment]))
}
