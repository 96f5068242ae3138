"""The bundled demo crawl: two small dumps in three languages, written for this project."""
