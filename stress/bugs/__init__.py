"""`pfnstorm bugs`: known mistakes put into the kernels on purpose, and which nets catch them."""
