"""Regrow's core: the codec (images to bundles and back) and the job model. Imports neither api, worker nor cli."""
