set(SCRIPTED_MODULES_DIR "lib/Slicer/qt-scripted-modules")

# Like Slicer's macro without WITH_SUBDIR: every file keeps its path relative to the calling CMakeLists.txt.
function(slicerMacroBuildScriptedModule)
  cmake_parse_arguments(MODULE "WITH_GENERIC_TESTS;WITH_SUBDIR" "NAME" "SCRIPTS;RESOURCES" ${ARGN})
  if(MODULE_UNPARSED_ARGUMENTS OR NOT MODULE_NAME)
    message(FATAL_ERROR "Unknown arguments of slicerMacroBuildScriptedModule: ${MODULE_UNPARSED_ARGUMENTS}")
  endif()
  foreach(file IN LISTS MODULE_SCRIPTS MODULE_RESOURCES)
    if(IS_ABSOLUTE "${file}" OR file MATCHES "\\.\\.")
      message(FATAL_ERROR "${file} would land outside the module folder")
    endif()
    get_filename_component(folder "${file}" DIRECTORY)
    install(FILES "${CMAKE_CURRENT_SOURCE_DIR}/${file}" DESTINATION "${SCRIPTED_MODULES_DIR}/${folder}")
  endforeach()
endfunction()

# Like Slicer's: a test named py_<script>; here it only says which, for want of an application to run it in.
function(slicer_add_python_unittest)
  cmake_parse_arguments(TEST "" "SCRIPT;TESTNAME_PREFIX" "SLICER_ARGS" ${ARGN})
  get_filename_component(name "${TEST_SCRIPT}" NAME_WE)
  set(script "${CMAKE_CURRENT_SOURCE_DIR}/${TEST_SCRIPT}")
  if(TEST_UNPARSED_ARGUMENTS OR NOT EXISTS "${script}")
    message(FATAL_ERROR "slicer_add_python_unittest: no script ${script} (${TEST_UNPARSED_ARGUMENTS})")
  endif()
  add_test(NAME "py_${TEST_TESTNAME_PREFIX}${name}" COMMAND "${CMAKE_COMMAND}" -E echo "${script}")
endfunction()

enable_testing()
