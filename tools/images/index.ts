// Images without a container engine and without a registry: tar files that every container runtime imports.
//
// In: a checkout after `npm ci`, an Envoy, a few programs of Debian. Out: for each program of Countersign, for Envoy
// and for the example an image; twice the same digest from the same machine. Layers are cached by their content.
// Never: runs anything of what it packs; asks a network; puts a file into an image that its program does not import.
//
// Formats: OCI image specification 1.1 (image-layout, manifest, config); GNU tar; `docker save` of Docker 25.

export { archive } from './archive.ts'
export { buildImages, type OnImage } from './build-images.ts'
export { createImage, type Image } from './image.ts'
export { findProgram } from './libraries.ts'
export { applicationTrees, type Recipe, recipes } from './recipes.ts'
export { APPLICATION, nodeTree, programTree } from './trees.ts'
