# What Slicer's build would tell the extensions index about this extension, one "name=value" a line.
set(metadata "")
foreach(name HOMEPAGE CATEGORY CONTRIBUTORS DESCRIPTION ICONURL SCREENSHOTURLS DEPENDS RECOMMENDS)
  string(APPEND metadata "${name}=${EXTENSION_${name}}\n")
endforeach()
file(WRITE "${CMAKE_BINARY_DIR}/extension.txt" "PROJECT=${PROJECT_NAME}\n${metadata}")
